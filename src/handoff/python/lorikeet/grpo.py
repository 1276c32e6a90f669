"""Reward training on TRL's GRPOTrainer: the page's prompts in the page's order, its settings, rewards, reference and AdamW."""

import math

import torch
from torch.utils.data import DataLoader, Dataset

from .optimizer import PageOptimizer
from .order import StepPlan

METHODS = ("grpo", "grpo-trl")
BY_NAME = (
    "num_generations", "max_completion_length", "temperature", "top_k", "top_p", "repetition_penalty", "beta", "num_iterations", "epsilon",
    "epsilon_high", "delta", "importance_sampling_level", "scale_rewards", "loss_type", "mask_truncated_completions",
)  # fmt: skip


class RolloutPlan:
    """
    Which prompts are answered for which step. "grpo" counts prompts in its batch size, "grpo-trl" answers. A rollout at an
    epoch's end that lacks prompts is filled with the epoch's first: TRL wants all of one size.
    """

    def __init__(self, config, count):
        size, accumulation, group = config["per_device_train_batch_size"], config["gradient_accumulation_steps"], config["num_generations"]
        self.by_prompts, self.save_steps = config["method"] == "grpo", config["save_steps"]
        self.prompts_each = size * accumulation if self.by_prompts else size * accumulation // group
        self.rows = size * group if self.by_prompts else size
        self.micro_batches, self.iterations, self.count = accumulation, config["num_iterations"], count
        once = {**config, "per_device_train_batch_size": self.prompts_each, "gradient_accumulation_steps": 1, "max_steps": -1}
        self.rollouts = StepPlan(once, count)
        self.total = config["max_steps"] if config["max_steps"] > 0 else self.rollouts.total * self.iterations

    def own_prompts(self, rollout):
        """Samples whose prompts the page answers in a rollout."""
        return [sample for batch in self.rollouts.micro_batches(rollout) for sample in batch]

    def prompts(self, rollout):
        """The same, filled up."""
        own = self.own_prompts(rollout)
        first = rollout - rollout % self.rollouts.steps_per_epoch
        while len(own) < self.prompts_each:
            own = own + self.own_prompts(first)
        return own[: self.prompts_each]

    def epoch_after(self, step):
        return self.rollouts.epoch_after(math.ceil(step / self.iterations))

    def save_due(self, step):
        """The original counts samples here, not steps."""
        if not self.by_prompts or self.save_steps == 0:
            return self.save_steps > 0 and step % self.save_steps == 0
        return self._prompts_after(step) // self.save_steps > self._prompts_after(step - 1) // self.save_steps

    def _prompts_after(self, step):
        epochs, within = divmod(math.ceil(step / self.iterations), self.rollouts.steps_per_epoch)
        return epochs * self.count + min(within * self.prompts_each, self.count)

    def shares(self, processes):
        """Rows of a micro-batch on each process, and micro-batches of a step there. Exits where they cannot be shared."""
        if self.rows % processes == 0:
            return self.rows // processes, self.micro_batches
        if self.micro_batches % processes == 0:
            return self.rows, self.micro_batches // processes
        raise SystemExit(f"{processes} processes can share neither {self.rows} answers nor {self.micro_batches} micro-batches evenly: take another number.")


def grpo_arguments(config, plan, processes, image_token):
    """GRPOConfig's part of the settings."""
    rows, slots = plan.shares(processes)
    return {
        **{name: config[name] for name in BY_NAME},
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": slots,
        "chat_template_kwargs": {"enable_thinking": config["enable_thinking"]},
        # The page never draws the picture's own token.
        "generation_kwargs": {"suppress_tokens": [image_token]},
        "shuffle_dataset": False,
        "disable_dropout": True,
    }


class Rollouts(Dataset):
    """What this process answers, a batch for each micro-batch of the steps that are left; only those that are answered have rows."""

    def __init__(self, samples, encoder, plan, start, process, processes):
        self.samples, self.encoder, self.plan = samples, encoder, plan
        self.start, self.process, self.processes = start, process, processes
        self.slots = plan.shares(processes)[1]

    def __len__(self):
        return (self.plan.total - self.start) * self.slots

    def __getitem__(self, position):
        micro = self.start * self.slots + position
        each = self.slots * self.plan.iterations
        if position > 0 and micro % each != 0:
            return []
        return [self.row(sample) for sample in self.mine(micro // each)]

    def mine(self, rollout):
        """Samples of this process's answers, a group's side by side."""
        group = self.plan.rows * self.plan.micro_batches // self.plan.prompts_each
        everything = [sample for sample in self.plan.prompts(rollout) for _ in range(group)]
        share = len(everything) // self.processes
        return everything[self.process * share : (self.process + 1) * share]

    def row(self, sample):
        [side] = self.samples[sample]
        pictures = [self.encoder.load(name) for name in side["images"]]
        return {
            "prompt": side["row"]["prompt"],
            "images": pictures,
            "solution": side["row"]["solution"],
            "image_size": self.encoder.seen_size(side),
            "token_ids": side["input_ids"],
        }


class AnswersAsThePage(PageOptimizer):
    """Mix in before TRL's GRPOTrainer. `equip` must be called before training."""

    validates = False

    def equip(self, run, rollouts, optimizer_file, start):
        self.run, self.rollouts, self.optimizer_file, self.start = run, rollouts, optimizer_file, start
        self.total_steps = rollouts.plan.total
        self.rollout_tokens = 0
        # Where in its rollout the run stopped: the answers there are drawn anew, the steps on them go on.
        self._step = start % rollouts.plan.iterations * rollouts.slots
        if self.beta > 0:
            set_reference(self.accelerator.unwrap_model(self.model))

    def get_train_dataloader(self):
        # Not prepared by Accelerate: every process has its own share already.
        return DataLoader(self.rollouts, batch_size=None, shuffle=False, num_workers=self.args.dataloader_num_workers)

    def counts(self, step):
        """Tokens of a step over all processes, and prompts that it is the first to use."""
        plan = self.rollouts.plan
        first = step == 0 or step % plan.iterations == 0
        return self.rollout_tokens, len(set(plan.own_prompts(step // plan.iterations))) if first else 0

    def _generate_and_score_completions(self, inputs):
        self.expected_ids = [row["token_ids"] for row in inputs]
        before = self.state.num_input_tokens_seen
        made = super()._generate_and_score_completions(inputs)
        self.rollout_tokens = self.state.num_input_tokens_seen - before
        return made

    def _tokenize_prompts(self, prompts):
        ids, *rest = super()._tokenize_prompts(prompts)
        if [list(row) for row in ids] != self.expected_ids:
            raise SystemExit("TRL's processor makes other tokens of a prompt than the page did: this version of transformers does not fit the model's template.")
        return ids, *rest


def set_reference(model):
    """TRL's reference is a copy of the adapter that goes on; the page's is the adapter that the run began from, or the base alone."""
    if "ref" not in model.peft_config:
        raise SystemExit("This TRL keeps no reference beside a trained adapter: install trl 1.13 or newer.")
    begun = "reference" in model.peft_config
    named = dict(model.named_parameters())
    with torch.no_grad():
        for name, parameter in named.items():
            if ".ref." not in name:
                continue
            parameter.requires_grad_(False)
            if begun:
                parameter.copy_(named[name.replace(".ref.", ".reference.")])
            elif ".lora_B." in name:
                parameter.zero_()
