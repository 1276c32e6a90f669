"""
Goes on with a run that began in Lorikeet's page. One process: python train.py. Several: accelerate launch --config_file
accelerate/ddp.yaml train.py. What it writes to --output opens in the page again: training_log.json, and PEFT adapters.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import torch
from lorikeet.answers import categories_of
from lorikeet.grpo import METHODS as REWARDED
from lorikeet.grpo import AnswersAsThePage, RolloutPlan, Rollouts, grpo_arguments
from lorikeet.log import PageLog
from lorikeet.model import base_of, load
from lorikeet.order import StepPlan, validation_choice
from lorikeet.reference import reference_log_probs
from lorikeet.rewards import reward_functions
from lorikeet.samples import Encoder, encode_rows, fingerprint, read_rows
from lorikeet.trainer import AsThePage, Steps, Validation
from transformers import AutoProcessor, Trainer, TrainingArguments

try:
    import datasets
    import trl
except ImportError:
    trl = None


def arguments():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=here, help="folder that this file came in")
    parser.add_argument("--model", help="folder or Hub id of the base model, where run.json's is not the place")
    parser.add_argument("--output", type=Path, default=Path("outputs"))
    parser.add_argument("--steps", type=int, help="stop after so many more steps; the schedule stays that of the whole run")
    parser.add_argument("--resume", type=Path, help="a checkpoint-N folder that this script wrote")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16" if torch.cuda.is_available() else "float32")
    parser.add_argument("--attention", default="sdpa", help="sdpa, eager or flash_attention_2")
    parser.add_argument("--workers", type=int, default=2, help="processes that prepare pictures")
    parser.add_argument("--plain", action="store_true", help="transformers' Trainer even where TRL is installed")
    parser.add_argument("--other-data", action="store_true", help="go on although the samples are not those of the page")
    return parser.parse_args()


def trainer_classes(method, plain):
    """The trainer to build on and its settings' class: TRL's where it is installed. Exits where only TRL's will do."""
    if method in REWARDED:
        if plain or trl is None:
            raise SystemExit("Reward training needs TRL's GRPOTrainer: pip install trl, and leave --plain out.")
        return trl.GRPOTrainer, trl.GRPOConfig
    if plain or trl is None:
        return Trainer, TrainingArguments
    return {"sft": (trl.SFTTrainer, trl.SFTConfig), "dpo": (trl.DPOTrainer, trl.DPOConfig)}[method]


def checked_samples(run, options, encoder):
    """Training and validation samples. Exits where they are not the page's own."""
    method, read = run["config"]["method"], {}
    for split in ("train", "validation"):
        path = options.bundle / "data" / f"{split}.jsonl"
        read[split], refused = encode_rows(read_rows(path), encoder, method) if path.exists() else ([], 0)
        if refused:
            print(f"{path.name}: {refused} samples are left out, as in the page", file=sys.stderr)
    if fingerprint(read["train"]) != run["data_fingerprint"]:
        text = "The tokens, labels or picture sizes of the training samples are not those that the page trained on."
        advice = "Check that --model is the run's base model, with its own tokenizer and chat template; --other-data goes on all the same."
        if not options.other_data:
            raise SystemExit(f"{text} {advice}")
        print(f"{text} Going on with them.", file=sys.stderr)
    return read["train"], read["validation"]


def settings(run, options, config_class, plan, start, image_token):
    """TrainingArguments of the page's settings. When to log, save and validate says PageLog."""
    config, processes = run["config"], int(os.environ.get("WORLD_SIZE", "1"))
    on_cpu = not (torch.cuda.is_available() or torch.backends.mps.is_available())
    until = plan.total if options.steps is None else min(plan.total, start + options.steps)
    more = {"per_device_train_batch_size": config["per_device_train_batch_size"]}
    if config["method"] in REWARDED:
        more = grpo_arguments(config, plan, processes, image_token)
    elif config_class is not TrainingArguments:
        more |= {"dataset_kwargs": {"skip_prepare_dataset": True}} if config["method"] == "sft" else {"beta": config["beta"]}
        more["max_length"] = None
    return config_class(
        output_dir=str(options.output),
        use_cpu=on_cpu,
        # Some builds of PyTorch have MPI, which is then taken for CPUs and knows nothing of torchrun's processes.
        ddp_backend="gloo" if on_cpu and processes > 1 else None,
        max_steps=until,
        learning_rate=config["learning_rate"],
        weight_decay=config["weight_decay"],
        adam_beta1=config["adam_beta1"],
        adam_beta2=config["adam_beta2"],
        adam_epsilon=config["adam_epsilon"],
        max_grad_norm=config["max_grad_norm"],
        seed=config["seed"],
        gradient_checkpointing=config["gradient_checkpointing"],
        gradient_checkpointing_kwargs={"use_reentrant": False},
        logging_strategy="no",
        save_strategy="no",
        eval_strategy="no",
        save_total_limit=config["save_total_limit"] or None,
        ddp_find_unused_parameters="visual" in json.dumps(config["target_modules"]),
        ignore_data_skip=True,
        remove_unused_columns=False,
        dataloader_num_workers=options.workers,
        bf16=options.dtype == "bfloat16",
        report_to="none",
        **more,
    )


def main():
    options = arguments()
    run = json.loads((options.bundle / "run.json").read_text(encoding="utf-8"))
    config = run["config"]
    checkpoint = options.resume or options.bundle / "checkpoint"
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    start = state["global_step"]

    place, revision = base_of(run, options)
    processor = AutoProcessor.from_pretrained(place, revision=revision)
    encoder = Encoder(processor, config, options.bundle / "data")
    train, validation = checked_samples(run, options, encoder)
    rewarded = config["method"] in REWARDED
    plan = (RolloutPlan if rewarded else StepPlan)(config, len(train))
    if plan.total != run["total_steps"]:
        raise SystemExit(f"run.json says {run['total_steps']} steps, its settings give {plan.total} with {len(train)} samples.")

    trainer_class, config_class = trainer_classes(config["method"], options.plain)
    args = settings(run, options, config_class, plan, start, encoder.image_id)
    model = load(run, options, checkpoint)
    log = PageLog(run, options.bundle, options.output, plan, start)
    own_moments = None if options.resume else options.bundle / "checkpoint" / "optimizer.safetensors"
    known = {"model": model, "args": args, "processing_class": processor, "callbacks": [log]}
    if rewarded:
        trainer = rewarded_trainer(run, options, trainer_class, known, Rollouts(train, encoder, plan, start, args.process_index, args.world_size), own_moments)
    else:
        trainer = taught_trainer(run, options, trainer_class, known, train, validation, encoder, plan, start, own_moments)
    log.trainer = trainer
    trainer.train(resume_from_checkpoint=str(checkpoint))


def table(options):
    """TRL's trainers ask for a table and look at its first row; what they train on are the page's steps all the same."""
    return datasets.Dataset.from_json(str(options.bundle / "data" / "train.jsonl"))


def taught_trainer(run, options, trainer_class, known, train, validation, encoder, plan, start, own_moments):
    """The trainer of samples and pairs."""
    config, args, model = run["config"], known["args"], known["model"]
    references = [None, None]
    if config["method"] == "dpo":
        ahead = {sample for step in range(start, args.max_steps) for batch in plan.micro_batches(step) for sample in batch}
        measured = validation_choice(len(validation), config) if config["eval_steps"] > 0 else []
        references = [reference_log_probs(model, samples, wanted, encoder, args, run["starts_from_adapter"]) for samples, wanted in ((train, ahead), (validation, measured))]
    steps = Steps(train, encoder, plan, config, start, args.process_index, args.world_size, references[0])
    args.gradient_accumulation_steps = steps.slots
    chosen = type("Continued" + trainer_class.__name__, (AsThePage, trainer_class), {})
    trainer = chosen(train_dataset=steps if trainer_class is Trainer else table(options), data_collator=lambda batch: batch, **known)
    trainer.equip(run, steps, Validation(validation, config["method"], references[1]), own_moments, start)
    return trainer


def rewarded_trainer(run, options, trainer_class, known, rollouts, own_moments):
    """The trainer of answers that are rewarded."""
    rows = [row for split in ("train", "validation") for row in read_rows(options.bundle / "data" / f"{split}.jsonl")]
    functions, known["args"].reward_weights = reward_functions(run["config"], categories_of(row["solution"] for row in rows))
    known["processing_class"].tokenizer.padding_side = "left"
    chosen = type("Continued" + trainer_class.__name__, (AnswersAsThePage, trainer_class), {})
    trainer = chosen(train_dataset=table(options), reward_funcs=functions, **known)
    trainer.equip(run, rollouts, own_moments, rollouts.start)
    return trainer


if __name__ == "__main__":
    main()
