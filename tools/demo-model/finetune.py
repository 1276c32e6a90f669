"""Reference fine-tuning in PyTorch: 4-bit (NF4) base, LoRA on the language model, metrics before and after.

    python3 finetune.py --model MODEL_DIR --data DATA_DIR --steps 60

Its settings are the demo's; its numbers are what the browser's are to be compared with.
"""
import argparse
import json
import math
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from transformers import AutoProcessor, Qwen3VLForConditionalGeneration

import metrics

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
# Levels of bitsandbytes' NF4.
NF4 = torch.tensor([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
])


def nf4_round_trip(weight):
    """Quantises blocks of 64 consecutive weights to NF4 and back; the scales stay float32."""
    blocks = weight.detach().float().reshape(-1, 64)
    scale = blocks.abs().amax(1, keepdim=True).clamp(min=1e-12)
    thresholds = (NF4[1:] + NF4[:-1]) / 2
    return (NF4[torch.bucketize(blocks / scale, thresholds)] * scale).reshape(weight.shape)


class LoraLinear(nn.Module):
    """y = W x + (alpha / r) B A x with W frozen."""

    def __init__(self, linear, r, alpha):
        super().__init__()
        self.frozen = linear.requires_grad_(False)
        self.lora_A = nn.Parameter(torch.empty(r, linear.in_features))
        self.lora_B = nn.Parameter(torch.zeros(linear.out_features, r))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.scale = alpha / r

    def forward(self, x):
        return self.frozen(x) + self.scale * F.linear(F.linear(x, self.lora_A), self.lora_B)


def prepare(model, r, alpha, quantize):
    """Quantises every Linear but the head, vision included, and puts LoRA on the language model's projections."""
    model.requires_grad_(False)
    for name, module in model.named_modules():
        if quantize and isinstance(module, nn.Linear) and "lm_head" not in name:
            module.weight.data = nf4_round_trip(module.weight)
    adapted = {}
    for name, module in list(model.named_modules()):
        if "language_model" in name and name.rsplit(".", 1)[-1] in TARGETS:
            parent, leaf = model.get_submodule(name.rsplit(".", 1)[0]), name.rsplit(".", 1)[1]
            adapted[name] = LoraLinear(module, r, alpha)
            setattr(parent, leaf, adapted[name])
    return adapted


class Samples:
    def __init__(self, data, name, processor):
        self.folder, self.processor = data, processor
        self.rows = json.loads((data / f"{name}.json").read_text(encoding="utf-8"))

    def __len__(self):
        return len(self.rows)

    def truth(self, index):
        return self.rows[index]["conversations"][1]["value"]

    def texts(self, index):
        question = self.rows[index]["conversations"][0]["value"].removeprefix("<image>")
        content = [{"type": "image"}, {"type": "text", "text": question}]
        prompt = self.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        return prompt, self.truth(index) + "<|im_end|>"

    def inputs(self, indices, with_answers):
        """Processor output; padded right with labels for training, left without for generation."""
        images = [Image.open(self.folder / self.rows[i]["image"]).convert("RGB") for i in indices]
        pairs = [self.texts(i) for i in indices]
        self.processor.tokenizer.padding_side = "right" if with_answers else "left"
        batch = self.processor(text=[p + (a if with_answers else "") for p, a in pairs], images=images, return_tensors="pt", padding=True)
        if with_answers:
            labels = torch.full_like(batch["input_ids"], -100)
            for row, (_, answer) in enumerate(pairs):
                end = int(batch["attention_mask"][row].sum())
                start = end - len(self.processor.tokenizer(answer)["input_ids"])
                labels[row, start:end] = batch["input_ids"][row, start:end]
            batch["labels"] = labels
        return batch


def answer_loss(model, batch):
    """Sum of −log p over the label tokens, and their number."""
    batch = dict(batch)
    labels = batch.pop("labels")[:, 1:]
    hidden = model.model(**batch, use_cache=False).last_hidden_state[:, :-1]
    carries = labels != -100
    return F.cross_entropy(model.lm_head(hidden[carries]).float(), labels[carries], reduction="sum"), int(carries.sum())


@torch.no_grad()
def evaluate(model, samples, count, batch_size=16, max_new_tokens=160):
    model.eval()
    count = min(count, len(samples))
    total, tokens, answers = 0.0, 0, []
    stop = model.config.text_config.eos_token_id
    for start in range(0, count, batch_size):
        indices = list(range(start, min(count, start + batch_size)))
        loss, n = answer_loss(model, samples.inputs(indices, True))
        total, tokens = total + float(loss), tokens + n
        batch = samples.inputs(indices, False)
        out = model.generate(**batch, max_new_tokens=max_new_tokens, do_sample=False, eos_token_id=stop, pad_token_id=stop)
        answers += samples.processor.tokenizer.batch_decode(out[:, batch["input_ids"].shape[1] :], skip_special_tokens=True)
    scores = metrics.score(answers, [samples.truth(i) for i in range(count)])
    return {"loss": total / tokens, **scores}, answers


def save_adapter(adapted, folder, r, alpha, base):
    """PEFT layout."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for name, module in adapted.items():
        for part in ("lora_A", "lora_B"):
            tensors[f"base_model.model.{name}.{part}.weight"] = getattr(module, part).detach().contiguous()
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": str(base), "r": r, "lora_alpha": alpha, "lora_dropout": 0.0, "bias": "none",
        "target_modules": r"^(?:.*\.)?language_model\.layers\.\d+\.(?:self_attn\.(?:q|k|v|o)_proj|mlp\.(?:gate|up|down)_proj)$",
        "fan_in_fan_out": False, "use_rslora": False, "use_dora": False, "modules_to_save": None, "rank_pattern": {}, "alpha_pattern": {}, "inference_mode": True,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description="Fine-tunes the demo model with PyTorch, for comparison.")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="where the adapter is written")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--r", type=int, default=16)
    parser.add_argument("--alpha", type=float, default=32)
    parser.add_argument("--no-4bit", action="store_true")
    parser.add_argument("--val", type=int, default=64, help="validation samples")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    processor = AutoProcessor.from_pretrained(options.model)
    model = Qwen3VLForConditionalGeneration.from_pretrained(options.model, dtype=torch.float32)
    adapted = prepare(model, options.r, options.alpha, not options.no_4bit)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    print(f"{sum(parameter.numel() for parameter in parameters)} trainable parameters in {len(adapted)} modules")
    train, val = (Samples(options.data, name, processor) for name in ("sft_train", "sft_val"))

    show = lambda label, row: print(label + "  ".join(f"{key} {value:.4f}" for key, value in row.items()), flush=True)
    show("before  ", evaluate(model, val, options.val)[0])

    optimizer = torch.optim.AdamW(parameters, lr=options.learning_rate, weight_decay=0.0)
    warm_up = math.ceil(0.05 * options.steps)
    schedule = lambda step: step / warm_up if step < warm_up else 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(1, options.steps - warm_up)))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    order, generator = [], torch.Generator().manual_seed(options.seed)
    for step in range(1, options.steps + 1):
        while len(order) < options.batch:
            order += torch.randperm(len(train), generator=generator).tolist()
        picked, order = order[: options.batch], order[options.batch :]
        model.train()
        loss, tokens = answer_loss(model, train.inputs(picked, True))
        (loss / tokens).backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 10 == 0 or step == options.steps:
            print(f"step {step}/{options.steps}  loss {float(loss.detach()) / tokens:.4f}", flush=True)

    row, answers = evaluate(model, val, options.val)
    show("after   ", row)
    print("example:", answers[0])
    if options.out:
        save_adapter(adapted, options.out, options.r, options.alpha, options.model)


if __name__ == "__main__":
    main()
