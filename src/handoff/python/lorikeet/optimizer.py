"""AdamW as the page left it, and the page's learning rates."""

import math
import sys

import torch
from safetensors import safe_open
from torch.optim.lr_scheduler import LambdaLR

from .model import page_name

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


class PageOptimizer:
    """
    Mix in before a Trainer. `total_steps`, `start`, `run` and `optimizer_file` (None after a checkpoint of this script) are
    to be set before training.
    """

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
            self.lr_scheduler = LambdaLR(inner, rate_factor(self.run["config"], self.total_steps), last_epoch=self.start - 1)
            self._created_lr_scheduler = True
        return self.lr_scheduler
