"""What is laid over TRL's or transformers' trainer so that a step here is the step that the page would have made."""

import time

import torch
from torch.utils.data import DataLoader, Dataset

from .losses import dpo_losses, sums_of_log_probs
from .optimizer import PageOptimizer
from .order import shares, validation_choice


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


class AsThePage(PageOptimizer):
    """Mix in before a Trainer. `equip` must be called before training."""

    validates = True

    def equip(self, run, steps, validation, optimizer_file, start):
        self.run, self.steps, self.validation, self.optimizer_file, self.start = run, steps, validation, optimizer_file, start
        self.total_steps = steps.plan.total
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
