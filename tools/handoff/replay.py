#!/usr/bin/env python3
"""
Lets a bundle of reward training learn from the answers that the page drew for the same steps, and compares the two:

    npm run handoff -- --method grpo-trl --set logging_steps=1
    python3 tools/handoff/replay.py --bundle outputs/handoff/bundle --page outputs/handoff/page --steps 2 \\
        -- --dtype float32 --attention eager --workers 0

Sampling differs between engines, everything after it should not: rewards and advantages of each answer, gradient norm, loss
and reference of each step. Answers are stored as text; one whose text the tokenizer cuts into other tokens than were drawn
cannot be replayed, and its step ends the comparison.
"""

import argparse
import json
import sys
from pathlib import Path

import trl

COMPARED = ("loss", "grad_norm", "kl", "reward", "learning_rate", "completions/mean_length", "num_tokens")


class Unrepeatable(Exception):
    """An answer whose text does not lead back to its tokens."""


class Page:
    """The page's answers by step."""

    def __init__(self, folder):
        self.folder, self.differences = folder, []

    def rows(self, step):
        lines = (self.folder / "completions" / f"completions_{step:05d}.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    def ids(self, step, tokenizer):
        found = []
        for row in self.rows(step):
            ids = tokenizer(row["completion"], add_special_tokens=False)["input_ids"] + ([] if row["truncated"] else [tokenizer.eos_token_id])
            if len(ids) != row["tokens"]:
                raise Unrepeatable(f"step {step}, sample {row['sample']}: {row['tokens']} tokens were drawn, their text has {len(ids)}")
            found.append(ids)
        return found

    def compare(self, step, advantages, rewards):
        """Largest differences over a step's answers."""
        rows = self.rows(step)
        self.differences.append(
            (
                step,
                max(abs(row["advantage"] - value) for row, value in zip(rows, advantages)),
                max(abs(row["rewards"][name] - value) for name, values in rewards.items() for row, value in zip(rows, values)),
            )
        )


def replayed(trainer_class, page):
    """TRL's trainer with the page's answers in the place of its own."""

    class Replayed(trainer_class):
        def _generate_single_turn(self, prompt_ids, *_, **__):
            if self.args.world_size > 1:
                raise SystemExit("Answers are replayed on one process.")
            return page.ids(self.state.global_step + 1, self._tokenizer), None

        def _generate_and_score_completions(self, inputs):
            step = self.state.global_step + 1
            for row, wanted in zip(inputs, page.rows(step), strict=True):
                if row["solution"] != wanted["truth"]:
                    raise SystemExit(f"step {step}: sample {wanted['sample']} is not the one that the bundle's order has there")
            made = super()._generate_and_score_completions(inputs)
            page.compare(step, list(self._logs["advantages"]), {name: list(values) for name, values in self._logs["rewards"].items()})
            return made

    return Replayed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--page", type=Path, required=True, help="the page's own run, unpacked")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("outputs/replay"))
    parser.add_argument("rest", nargs="*", help="options of train.py")
    options = parser.parse_args()
    page = Page(options.page)
    trl.GRPOTrainer = replayed(trl.GRPOTrainer, page)
    sys.path.insert(0, str(options.bundle))
    import train

    sys.argv = ["train.py", "--bundle", str(options.bundle), "--output", str(options.output), "--steps", str(options.steps), *options.rest]
    try:
        train.main()
    except Unrepeatable as end:
        print(f"ends early: {end}")
    log = options.output / "training_log.json"
    if not log.exists():
        return 1
    own = {row["step"]: row for row in json.loads((options.page / "training_log.json").read_text(encoding="utf-8"))["train_history"]}
    theirs = {row["step"]: row for row in json.loads(log.read_text(encoding="utf-8"))["train_history"]}
    for step, advantage, reward in page.differences:
        print(f"step {step}: rewards apart {reward:.1e}, advantages {advantage:.1e}")
        for key in COMPARED if step in theirs else ():
            if key in own[step]:
                print(f"  {key}: page {own[step][key]:.8g}, here {theirs[step][key]:.8g}, apart {abs(own[step][key] - theirs[step][key]):.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
