#!/usr/bin/env python3
"""Checks that a merged checkpoint is the base model with the adapter, to transformers and PEFT.

    npm run merge -- --model public/demo/model --adapter public/demo/adapter --out outputs/merged
    python3 tools/check-merged.py --merged outputs/merged --model public/demo/model --adapter public/demo/adapter

1. The folder loads through AutoModelForImageTextToText without missing, unexpected or mismatched keys, and its processor
   through AutoProcessor.
2. Every merged weight lies no further than half a bf16 step (2^-8 of itself) from the one that PEFT's merge_and_unload
   leaves in float32, but for the last digits of that sum; all other tensors are those of the base.
3. Logits at every token of some validation samples, answers included. The roundings of a model's weights are independent:
   in one sum they do not add up, from layer to layer they do as the root of the number of layers. The logits may differ by
   2^-7 of their norm (--tolerance), far less than the adapter itself moves them, and the likeliest token is the same
   wherever the second is further away than that difference.
"""
import argparse
import json
import sys
from pathlib import Path

import torch
from peft import PeftModel
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

SUM_ERROR = 2**-20


def load(folder):
    """The model in float32 as the checkpoint has it, and what transformers says of its keys."""
    model, report = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    return model.eval(), {name: keys for name, keys in report.items() if keys}


def encoded(processor, data, count):
    """The first validation samples with their answers."""
    for row in json.loads((data / "sft_val.json").read_text(encoding="utf-8"))[:count]:
        question, answer = (turn["value"] for turn in row["conversations"][:2])
        messages = [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question.removeprefix("<image>")}]},
            {"role": "assistant", "content": [{"type": "text", "text": answer}]},
        ]
        text = processor.apply_chat_template(messages)
        yield row["image"], processor(text=[text], images=[Image.open(data / row["image"]).convert("RGB")], return_tensors="pt")


def logits_of(model, batch):
    with torch.no_grad():
        return model(**batch).logits[0].float()


def weights_differ(merged, exact):
    """Names of tensors further from their float32 than rounding to bf16 allows, and how many numbers were rounded."""
    theirs, rounded, wrong = dict(exact.named_parameters()), 0, []
    for name, ours in merged.named_parameters():
        wanted = theirs[name]
        if torch.equal(ours, wanted):
            continue
        allowed = wanted.abs() * 2**-8 + wanted.abs().max() * SUM_ERROR
        if bool(((ours - wanted).abs() > allowed).any()):
            wrong.append(name)
        rounded += wanted.numel()
    return wrong, rounded


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--merged", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--adapter", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("public/demo/data"))
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--tolerance", type=float, default=2**-7, help="difference of the logits as a share of their norm")
    options = parser.parse_args()
    torch.set_num_threads(1)

    merged, report = load(options.merged)
    failed = []
    print(f"{type(merged).__name__}: {'every key is there and none is left over' if not report else report}")
    if report:
        failed.append("keys")
    batches = list(encoded(AutoProcessor.from_pretrained(options.merged), options.data, options.samples))
    base, _ = load(options.model)
    base_logits = [logits_of(base, batch) for _, batch in batches]
    adapted = PeftModel.from_pretrained(base, str(options.adapter)).eval()
    for (image, batch), before in zip(batches, base_logits):
        wanted, got = logits_of(adapted, batch), logits_of(merged, batch)
        share, moved = float((got - wanted).norm() / wanted.norm()), float((wanted - before).norm() / wanted.norm())
        top = wanted.topk(2, -1)
        sure = top.values[:, 0] - top.values[:, 1] > 2 * (got - wanted).abs().amax(-1)
        other = int((got.argmax(-1) != top.indices[:, 0]).sum())
        ok = share <= options.tolerance and share * 5 < moved and bool((got.argmax(-1) == top.indices[:, 0])[sure].all())
        print(
            f"{image}  {len(wanted)} tokens  apart {share:.2e} of the norm, {float((got - wanted).abs().max()):.3f} at most; "
            f"the adapter moves {moved:.2e}; likeliest token differs {other} times  {'ok' if ok else 'FAIL'}"
        )
        if not ok:
            failed.append(image)
    wrong, rounded = weights_differ(merged, adapted.merge_and_unload())
    print(f"{rounded} merged weights: " + (f"further than bf16 allows: {', '.join(wrong[:5])}" if wrong else "each as near as bf16 allows"))
    if wrong or rounded == 0:
        failed.append("weights")
    print("FAIL: " + ", ".join(failed) if failed else "the merged checkpoint is base and adapter")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
