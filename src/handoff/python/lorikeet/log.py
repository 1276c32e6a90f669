"""training_log.json in the page's own schema: the page's rows up to where it stopped, then those of this run."""

import json
import time
from datetime import datetime, timezone
from pathlib import Path

import torch
from transformers import TrainerCallback


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class PageLog(TrainerCallback):
    """Says when to log, validate and save, by the page's settings, and writes the rows where the page opens them again."""

    def __init__(self, run, folder, output, plan, start):
        self.run, self.plan, self.start = run, plan, start
        self.output = Path(output) / "training_log.json"
        source = self.output if self.output.exists() else Path(folder) / "training_log.json"
        self.log = json.loads(source.read_text(encoding="utf-8"))
        for history in ("train_history", "val_history"):
            self.log[history] = [row for row in self.log[history] if row["step"] <= start]
        last = self.log["train_history"][-1] if self.log["train_history"] else {}
        totals = run["totals"]
        self.tokens = last.get("num_tokens", 0) if start != run["step"] else totals["tokens"]
        self.samples = last.get("samples", 0) if start != run["step"] else totals["samples"]
        self.elapsed = last.get("elapsed_s", 0.0) if start != run["step"] else totals["elapsedMilliseconds"] / 1000
        self.window_tokens, self.window_steps, self.window_seconds = 0, 0, 0.0
        self.clock = time.monotonic()
        self.trainer = None

    def on_train_begin(self, args, state, control, **_):
        self.clock = time.monotonic()
        text = f"Went on in PyTorch {torch.__version__} from step {self.start}, {args.world_size} process{'es' if args.world_size > 1 else ''}."
        self.log["notices"].append({"step": self.start, "level": "info", "message": text, "time": now()})

    def on_step_end(self, args, state, control, **_):
        config, step = self.run["config"], state.global_step
        passed = time.monotonic() - self.clock
        self.clock = time.monotonic()
        tokens, samples = self.trainer.counts(step - 1)
        self.tokens, self.samples, self.elapsed = self.tokens + tokens, self.samples + samples, self.elapsed + passed
        self.window_tokens, self.window_steps, self.window_seconds = self.window_tokens + tokens, self.window_steps + 1, self.window_seconds + passed
        control.should_log = step == 1 or step % config["logging_steps"] == 0 or step == self.plan.total
        control.should_save = self.plan.save_due(step) or step >= state.max_steps
        control.should_evaluate = self.trainer.validates and config["eval_steps"] > 0 and step % config["eval_steps"] == 0
        return control

    def on_log(self, args, state, control, logs=None, **_):
        if not state.is_world_process_zero or not logs:
            return
        if "eval_loss" in logs:
            self.log["val_history"].append({"step": state.global_step, "epoch": self.plan.epoch_after(state.global_step), **self._numbers(logs, "eval_"), "time": now()})
        elif "loss" in logs:
            self.log["train_history"].append(self._row(state.global_step, logs))
            self.window_tokens, self.window_steps, self.window_seconds = 0, 0, 0.0
        else:
            return
        self.write()

    def on_train_end(self, args, state, control, **_):
        if not state.is_world_process_zero:
            return
        rows = self.log["train_history"]
        self.log["final_metrics"] = {
            **self.log["final_metrics"],
            "train_runtime": self.elapsed,
            "num_tokens": self.tokens,
            "step": state.global_step,
            "epoch": self.plan.epoch_after(state.global_step),
            "train_loss": sum(row["loss"] for row in rows) / len(rows) if rows else None,
        }
        self.write()

    def write(self):
        """In one move, so that a reader never meets half a file."""
        self.output.parent.mkdir(parents=True, exist_ok=True)
        half = self.output.with_suffix(".half")
        half.write_text(json.dumps(self.log, indent=2, ensure_ascii=False), encoding="utf-8")
        half.replace(self.output)

    def _row(self, step, logs):
        seconds = max(self.window_seconds, 1e-6)
        peak = torch.cuda.max_memory_allocated() / 2**20 if torch.cuda.is_available() else 0.0
        return {
            **self._numbers(logs, ""),
            "step": step,
            "epoch": self.plan.epoch_after(step),
            "loss": logs["loss"],
            "learning_rate": logs["learning_rate"],
            "grad_norm": logs.get("grad_norm", 0.0),
            "tokens_per_second": self.window_tokens / seconds,
            "step_time_ms": 1000 * seconds / max(1, self.window_steps),
            "gpu_memory_mb": peak,
            "num_tokens": self.tokens,
            "samples": self.samples,
            "elapsed_s": self.elapsed,
            "time": now(),
        }

    def _numbers(self, logs, prefix):
        return {key: value for key, value in logs.items() if key.startswith(prefix) and isinstance(value, (int, float)) and key != "epoch"}
