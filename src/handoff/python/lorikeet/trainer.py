"""What is laid over TRL's or transformers' trainer so that a step here is the step that the page would have made."""

import math
import sys
import time

import torch
from safetensors import safe_open
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Dataset

from .losses import dpo_losses, sums_of_log_probs
from .model import page_name
from .order import shares, validation_choice

POLYNOMIAL_END = 1e-7


def rate_factor(config, total):
    """Learning rate of a step as a share of learning_rate, with the arithmetic of transformers' schedules."""
    kind, base = config["lr_scheduler_type"], config["learning_rate"]
    warmup = math.ceil(total * config["warmup_ratio"])

    def factor(step):
        if kind == "constant":
            return 1.0
        if step < warmup:
            return step / max(1, warmup)
        progress = (step - warmup) / max(1, total - warmup)
        if kind == "constant_with_warmup":
            return 1.0
        if kind == "linear":
            return max(0.0, (total - step) / max(1, total - warmup))
        if kind == "cosine":
            return max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))
        end = POLYNOMIAL_END / base
        return end if step > total else (1 - end) * (1 - progress) + end

    return factor


class Steps(Dataset):
    """Micro-batches of this process for the steps that are left, one after the other."""

    def __init__(self, samples, encoder, plan, config, start, process, processes, reference):
        self.samples, self.encoder, self.plan, self.config = samples, encoder, plan, config
        self.start, self.process, self.processes, self.reference = start, process, processes, reference
        accumulation = config["gradient_accumulation_steps"]
        self.slots = max(1, accumulation // processes) if accumulation % processes == 0 else accumulation

    def __len__(self):
        return (self.plan.total - self.start) * self.slots

    def __getitem__(self, position):
        step, slot = self.start + position // self.slots, position % self.slots
        batches = self.plan.micro_batches(step)
        mine = shares(batches, self.weights(batches), self.processes, self.slots)[self.process][slot]
        rows = [side for sample, _ in mine for side in self.samples[sample]]
        batch = self.encoder.collate(rows)
        batch["row_weights"] = torch.tensor([weight for _, weight in mine])
        batch["step_totals"] = torch.tensor([sum(len(part) for part in batches), self.label_tokens(batches)])
        if self.reference is not None:
            batch["reference"] = torch.stack([self.reference[sample] for sample, _ in mine])
        return batch

    def label_tokens(self, batches):
        """Of the answers to learn, the chosen ones of pairs."""
        return sum(self.samples[sample][0]["label_tokens"] for batch in batches for sample in batch)

    def weights(self, batches):
        """What each label token of a sample counts in the step's loss; of pairs 1."""
        if self.config["method"] == "dpo":
            return [[1.0] * len(batch) for batch in batches]
        if self.config["loss_reduction"] == "token_weighted":
            total = self.label_tokens(batches)
            return [[1 / total] * len(batch) for batch in batches]
        return [[1 / (self.label_tokens([batch]) * len(batches))] * len(batch) for batch in batches]


class AsThePage:
    """Mix in before a Trainer. `equip` must be called before training."""

    def equip(self, run, steps, validation, optimizer_file, start):
        self.run, self.steps, self.validation, self.optimizer_file, self.start = run, steps, validation, optimizer_file, start
        window = run["totals"]["window"] if start == run["step"] else {"loss": 0.0, "weight": 0.0}
        first = self.args.process_index == 0
        self.window_loss = window["loss"] if first else 0.0
        self.window_weight = window["weight"] if first else 0.0
        # Any function here keeps Trainer from dividing by the micro-batches: row_weights hold the whole normalisation.
        self.compute_loss_func = sums_of_log_probs

    def get_train_dataloader(self):
        # Not prepared by Accelerate: every process has its own share already.
        return DataLoader(self.steps, batch_size=None, shuffle=False, num_workers=self.args.dataloader_num_workers)

    def counts(self, step):
        """Tokens and samples of a step, over all processes."""
        batch = [sample for micro in self.steps.plan.micro_batches(step) for sample in micro]
        return sum(len(side["input_ids"]) for sample in batch for side in self.steps.samples[sample]), len(batch)

    def create_optimizer(self, *_):
        if self.optimizer is not None:
            return self.optimizer
        config = self.run["config"]
        named = [(name, parameter) for name, parameter in self.model.named_parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            [parameter for _, parameter in named],
            lr=config["learning_rate"],
            betas=(config["adam_beta1"], config["adam_beta2"]),
            eps=config["adam_epsilon"],
            weight_decay=config["weight_decay"],
        )
        if self.optimizer_file is not None and (self.is_fsdp_enabled or self.is_deepspeed_enabled):
            print("AdamW's moments are not put back where parameters are sharded: the optimizer begins anew.", file=sys.stderr)
        elif self.optimizer_file is not None:
            self._take_moments(named)
        return self.optimizer

    def _take_moments(self, named):
        with safe_open(self.optimizer_file, "pt") as file:
            done = float(file.metadata()["step"])
            stored = {key: file.get_tensor(key) for key in file.keys()}
        for name, parameter in named:
            key = page_name(name)
            if f"{key}.exp_avg" not in stored:
                raise SystemExit(f"{self.optimizer_file}: no moments of {key}. Use the bundle's own adapter and optimizer together.")
            moments = [stored[f"{key}.{kind}"].to(parameter.device, parameter.dtype) for kind in ("exp_avg", "exp_avg_sq")]
            if moments[0].shape != parameter.shape:
                raise SystemExit(f"{self.optimizer_file}: {key} is {tuple(moments[0].shape)}, the adapter has {tuple(parameter.shape)}.")
            self.optimizer.state[parameter] = {"step": torch.tensor(done), "exp_avg": moments[0], "exp_avg_sq": moments[1]}

    def create_scheduler(self, num_training_steps, optimizer=None):
        if self.lr_scheduler is None:
            used = optimizer or self.optimizer
            inner = getattr(used, "optimizer", used)
            for group in inner.param_groups:
                group.setdefault("initial_lr", group["lr"])
            self.lr_scheduler = LambdaLR(inner, rate_factor(self.run["config"], self.steps.plan.total), last_epoch=self.start - 1)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def step_share(self, model, inputs):
        """This micro-batch's share of the step's loss, and how many rows it has."""
        inputs = dict(inputs)
        weights, totals = inputs.pop("row_weights"), inputs.pop("step_totals")
        labels, reference = inputs.pop("labels"), inputs.pop("reference", None)
        logits = model(**inputs, use_cache=False).logits
        log_probs = sums_of_log_probs(logits, labels)
        if self.run["config"]["method"] != "dpo":
            return -(log_probs * weights).sum(), totals
        tokens = (labels[:, 1:] != -100).sum(1).view(-1, 2)
        losses = dpo_losses(log_probs.view(-1, 2), reference, tokens, self.run["config"], totals[0], totals[1])
        return (losses * weights).sum(), totals

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        loss, totals = self.step_share(model, inputs)
        config = self.run["config"]
        weighted = config["method"] != "dpo" and config["loss_reduction"] == "token_weighted"
        weight = totals[1].item() if weighted else 1.0
        self.window_loss += loss.detach().double().item() * weight
        self.window_weight += weight / (self.steps.slots * self.steps.processes)
        # Gradients are averaged over processes; the shares are to be added.
        loss = loss * self.args.world_size
        return (loss, None) if return_outputs else loss

    def log(self, logs, *args, **kwargs):
        if "loss" in logs:
            sums = torch.tensor([self.window_loss, self.window_weight], dtype=torch.float64, device="cpu" if self.args.device.type == "mps" else self.args.device)
            if self.args.world_size > 1:
                torch.distributed.all_reduce(sums)
            logs = {**logs, "loss": (sums[0] / sums[1]).item()}
            self.window_loss, self.window_weight = 0.0, 0.0
        super().log(logs, *args, **kwargs)

    def evaluate(self, *_, **__):
        """Validation loss on the page's own choice of samples: per label token, of pairs per pair."""
        started = time.monotonic()
        config = self.run["config"]
        chosen = validation_choice(len(self.validation), config)[self.args.process_index :: self.args.world_size]
        sums = torch.zeros(2, dtype=torch.float64, device=self.args.device)
        self.model.eval()
        with torch.no_grad():
            for position in chosen:
                sample = self.validation.samples[position]
                inputs = self._prepare_inputs({**self.steps.encoder.collate(sample), **self.validation.extra(position)})
                loss, _ = self.step_share(self.model, inputs)
                sums += torch.tensor([loss.item(), self.validation.weight(position)], dtype=torch.float64, device=sums.device)
        self.model.train()
        if self.args.world_size > 1:
            torch.distributed.all_reduce(sums)
        metrics = {"eval_loss": (sums[0] / sums[1]).item(), "eval_runtime": time.monotonic() - started, "eval_samples": len(validation_choice(len(self.validation), config))}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class Validation:
    """Validation samples; a row's weight is 1 for each label token, a pair's 1."""

    def __init__(self, samples, method, reference):
        self.samples, self.method, self.reference = samples, method, reference

    def __len__(self):
        return len(self.samples)

    def weight(self, position):
        return 1.0 if self.method == "dpo" else float(self.samples[position][0]["label_tokens"])

    def extra(self, position):
        more = {"row_weights": torch.ones(1), "step_totals": torch.tensor([1, self.samples[position][0]["label_tokens"]])}
        return {**more, "reference": self.reference[position][None]} if self.reference is not None else more
