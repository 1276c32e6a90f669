"""Pre-trains the demo model from nothing on drawn scenes, with transformers' own Qwen3VLForConditionalGeneration.

    python3 tokenizer.py MODEL_DIR && python3 pretrain.py MODEL_DIR --minutes 60

First the vision tower alone learns to see, through a small dense head that is thrown away. Then vision and language learn
together: each picture is followed by several short questions in one conversation. Both schedules follow the clock, so that
a slow machine gets a weaker model rather than none.
"""
import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from tokenizers import Tokenizer

import architecture
import language
import scenes
from architecture import CELL

COORDINATE_LAST_DIGIT_WEIGHT = 0.3  # a thousandth of 128 pixels cannot be seen


class ScenePool:
    """Scenes drawn ahead and shown several times, mirrored and with other light each time."""

    def __init__(self, rng, per_size):
        self.rng, self.scenes = rng, {}
        for size in scenes.SIZES:
            drawn = [scenes.render(rng, size, int(rng.choice(4, p=(0.12, 0.33, 0.32, 0.23)))) for _ in range(per_size)]
            self.scenes[size] = ([np.asarray(image) for image, _ in drawn], [devices for _, devices in drawn])

    def batch(self, count):
        """B × H × W × 3 pixels in −1..1 of one size, and the devices of each."""
        rng = self.rng
        images, devices = self.scenes[scenes.SIZES[int(rng.integers(len(scenes.SIZES)))]]
        picked = rng.integers(0, len(images), count)
        pixels, truth = [], []
        for index in picked:
            image, found = images[index].astype(np.float32), devices[index]
            if rng.random() < 0.5:
                image = image[:, ::-1]
                found = [scenes.Device(d.kind, d.faulty, (1000 - d.box[2], d.box[1], 1000 - d.box[0], d.box[3])) for d in found]
                found.sort(key=lambda device: device.box[0])
            image = (image - 127.5) * rng.uniform(0.85, 1.15) + 127.5 + rng.uniform(-14, 14)
            pixels.append(np.clip(image / 127.5 - 1, -1, 1))
            truth.append(found)
        return torch.from_numpy(np.stack(pixels).astype(np.float32)), truth


class DenseHead(nn.Module):
    """What each merged vision token covers: device kind (0 = none), fault, and the distances to the four sides of its box."""

    def __init__(self, width):
        super().__init__()
        self.linear = nn.Linear(width, len(scenes.KINDS) + 1 + 1 + 4)

    @staticmethod
    def targets(truth, rows, columns):
        kind = np.zeros((len(truth), rows, columns), np.int64)
        fault = np.zeros((len(truth), rows, columns), np.float32)
        box = np.zeros((len(truth), rows, columns, 4), np.float32)
        for b, devices in enumerate(truth):
            for device in devices:
                x1, y1, x2, y2 = np.array(device.box) / 1000 * np.array([columns, rows, columns, rows])
                for r in range(int(y1), min(rows, math.ceil(y2))):
                    for c in range(int(x1), min(columns, math.ceil(x2))):
                        shared = (min(x2, c + 1) - max(x1, c)) * (min(y2, r + 1) - max(y1, r))
                        if shared > 0.25 or shared > 0.25 * (x2 - x1) * (y2 - y1):
                            kind[b, r, c], fault[b, r, c] = device.kind + 1, device.faulty
                            box[b, r, c] = np.array(device.box) / 1000
        return torch.from_numpy(kind), torch.from_numpy(fault), torch.from_numpy(box)

    def loss(self, features, truth, rows, columns):
        out = self.linear(features.float()).view(len(truth), rows, columns, -1)
        kinds = len(scenes.KINDS) + 1
        kind, fault, box = self.targets(truth, rows, columns)
        loss = F.cross_entropy(out[..., :kinds].flatten(0, 2), kind.flatten())
        covered = kind > 0
        if covered.any():
            loss = loss + F.binary_cross_entropy_with_logits(out[..., kinds][covered], fault[covered])
            loss = loss + 6 * F.smooth_l1_loss(out[..., kinds + 1 :][covered].sigmoid(), box[covered], beta=0.05)
        return loss


class Conversations:
    """Builds token batches: one picture and several questions per row."""

    def __init__(self, tokenizer, rng, length):
        self.rng, self.length = rng, length
        self.encode = lambda text: tokenizer.encode(text, add_special_tokens=False).ids
        token = tokenizer.token_to_id
        self.pad, self.end, self.image = token("<|endoftext|>"), token("<|im_end|>"), token("<|image_pad|>")
        self.digits = {token(str(digit)) for digit in range(10)}
        self.user, self.assistant = self.encode("<|im_start|>user\n"), self.encode("<|im_start|>assistant\n")
        self.open, self.close, self.line = self.encode("<|vision_start|>"), self.encode("<|vision_end|>"), self.encode("\n")

    def answer_weights(self, ids):
        weights = [1.0] * len(ids)
        for i in range(1, len(ids)):
            ends_number = ids[i] in self.digits and (i + 1 == len(ids) or ids[i + 1] not in self.digits)
            if ends_number and ids[i - 1] in self.digits:
                weights[i] = COORDINATE_LAST_DIGIT_WEIGHT
        return weights

    def turn(self, devices):
        if self.rng.random() < 0.03:  # copying random tokens trains every row of the embedding
            answer = [int(v) for v in self.rng.integers(0, 998, int(self.rng.integers(2, 8)))]
            question = self.encode("复述：") + answer
        else:
            question, answer = (self.encode(text) for text in language.ask(self.rng, devices))
        if self.rng.random() < 0.5:
            question = self.line + question
        return question, answer + [self.end]

    def row(self, devices, image_tokens):
        ids = self.user + self.open + [self.image] * image_tokens + self.close
        weights = [0.0] * len(ids)
        first = True
        while True:
            question, answer = self.turn(devices)
            lead = ([] if first else self.line + self.user) + question + [self.end] + self.line + self.assistant
            if len(ids) + len(lead) + len(answer) > self.length:
                return ids, weights
            ids += lead + answer
            weights += [0.0] * len(lead) + self.answer_weights(answer)
            first = False

    def batch(self, truth, image_tokens):
        rows = [self.row(devices, image_tokens) for devices in truth]
        longest = max(len(ids) for ids, _ in rows)
        ids = torch.full((len(rows), longest), self.pad)
        weights = torch.zeros(len(rows), longest)
        mask = torch.zeros(len(rows), longest, dtype=torch.long)
        for i, (row_ids, row_weights) in enumerate(rows):
            ids[i, : len(row_ids)], weights[i, : len(row_ids)] = torch.tensor(row_ids), torch.tensor(row_weights)
            mask[i, : len(row_ids)] = 1
        return ids, mask, weights


def learning_rate(peak, share):
    """Two per cent of warm-up, then a cosine down to a hundredth."""
    return peak * (min(1.0, share / 0.02 + 0.01) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share))))


def make_optimizer(modules, peak):
    decayed, plain = [], []
    for module in modules:
        for parameter in module.parameters():
            (decayed if parameter.dim() >= 2 else plain).append(parameter)
    return torch.optim.AdamW([{"params": decayed, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}], lr=peak, betas=(0.9, 0.98))


def run_stage(name, minutes, peak, modules, compute_loss):
    """Calls compute_loss(share of the stage done) and steps until the time is over."""
    optimizer, start, step, recent = make_optimizer(modules, peak), time.time(), 0, []
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    while (share := (time.time() - start) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(peak, share)
        loss = compute_loss(share)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        recent.append(float(loss.detach()))
        step += 1
        if step % 50 == 0:
            print(f"{name} step {step}  {share:.0%}  loss {np.mean(recent[-50:]):.4f}  {(time.time() - start) / step:.2f} s/step", flush=True)
    print(f"{name}: {step} steps, last loss {np.mean(recent[-50:]):.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Pre-trains the demo model and writes it in the Hugging Face layout.")
    parser.add_argument("folder", type=Path, help="model folder with the tokenizer's files")
    parser.add_argument("--vision-minutes", type=float, default=8)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--pool", type=int, default=6000, help="scenes drawn per picture size")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=224, help="tokens per row")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    tokenizer_file = options.folder / "tokenizer.json"
    model = architecture.make_model(tokenizer_file, options.seed).train()
    head = DenseHead(model.config.text_config.hidden_size)
    rng = np.random.default_rng(options.seed)
    pool = ScenePool(rng, options.pool)
    conversations = Conversations(Tokenizer.from_file(str(tokenizer_file)), rng, options.length)

    def see(batch):
        images, truth = pool.batch(batch)
        height, width = images.shape[1:3]
        return architecture.patchify(images), architecture.grids(batch, height, width), truth, height // CELL, width // CELL

    def vision_loss(_share):
        patches, grid, truth, rows, columns = see(2 * options.batch)
        with torch.autocast("cpu", torch.bfloat16):
            features = model.model.visual(patches, grid_thw=grid).pooler_output
        return head.loss(features, truth, rows, columns)

    def joint_loss(share):
        patches, grid, truth, rows, columns = see(options.batch)
        ids, mask, weights = conversations.batch(truth, rows * columns)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model.model(
                input_ids=ids, attention_mask=mask, pixel_values=patches, image_grid_thw=grid,
                mm_token_type_ids=(ids == conversations.image).long(), use_cache=False,
            ).last_hidden_state
            weight = weights[:, 1:]
            logits = model.lm_head(hidden[:, :-1][weight > 0]).float()
        nll = F.cross_entropy(logits, ids[:, 1:][weight > 0], reduction="none")
        loss = (nll * weight[weight > 0]).sum() / weight.sum()
        if share < 0.5:  # keeps the eyes open while the words are still wrong
            with torch.autocast("cpu", torch.bfloat16):
                features = model.model.visual(patches, grid_thw=grid).pooler_output
            loss = loss + 0.3 * (1 - 2 * share) * head.loss(features, truth, rows, columns)
        return loss

    if options.vision_minutes > 0:
        run_stage("vision", options.vision_minutes, options.learning_rate, [model.model.visual, head], vision_loss)
    run_stage("joint", options.minutes, options.learning_rate, [model, head], joint_loss)
    architecture.export(model, options.folder)
    print(f"wrote {options.folder}")


if __name__ == "__main__":
    main()
