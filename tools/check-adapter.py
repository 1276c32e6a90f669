#!/usr/bin/env python3
"""Checks that a trained adapter means the same to PyTorch as to Lorikeet.

    npm run parity -- public/demo --adapter outputs/demo/best --dump-logits outputs/demo/logits.json
    python3 tools/check-adapter.py --adapter outputs/demo/best --logits outputs/demo/logits.json

Loads the base with transformers and puts the adapter on it: through PEFT where it can be imported, otherwise by adding
scale * B A to the weights. It then computes the logits that follow each prompt of the dump and compares them. The dump:

    {"adapter": bool, "quantization": "none" | "text" | "text_and_vision",
     "cases": [{"image": path, "prompt": text, "input_ids": [...], "last_logits": [...]}]}

"image" is relative to --data, "prompt" is the text after the image in the user's only turn. Without --logits the adapter
is only loaded and tried: its logits must differ from the base's.
"""
import argparse
import json
import re
import sys
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoProcessor, Qwen3VLForConditionalGeneration

PREFIX = "base_model.model."
NF4 = torch.tensor([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
    0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
])


def dynamic_map():
    """The 256 levels of bitsandbytes' signed dynamic 8-bit code: 7 decades, each with twice the levels of the one below."""
    levels = [0.0, 1.0]
    for decade in range(7):
        edges = torch.linspace(0.1, 1, 2**decade + 1, dtype=torch.float64)
        for middle in ((edges[:-1] + edges[1:]) / 2).tolist():
            levels += [middle * 10.0 ** (decade - 6), -middle * 10.0 ** (decade - 6)]
    return torch.tensor(sorted(levels), dtype=torch.float32)


def nf4_round_trip(weight, double_quant=True):
    """NF4 in blocks of 64 and back; with double quantisation the scales go through 8 bits in blocks of 256."""
    flat = weight.detach().float().flatten()
    blocks = torch.nn.functional.pad(flat, (0, -len(flat) % 64)).view(-1, 64)
    absmax = blocks.abs().amax(1)
    inverse = torch.where(absmax > 0, 1 / absmax, torch.zeros_like(absmax))
    codes = torch.bucketize(blocks * inverse[:, None], (NF4[1:] + NF4[:-1]) / 2)
    if double_quant:
        offset = absmax.mean()
        centred = torch.nn.functional.pad(absmax - offset, (0, -len(absmax) % 256)).view(-1, 256)
        scale = centred.abs().amax(1, keepdim=True).clamp(min=1e-38)
        levels = dynamic_map()
        nearest = torch.bucketize(centred / scale, (levels[1:] + levels[:-1]) / 2)
        absmax = (levels[nearest] * scale).flatten()[: len(absmax)] + offset
    return (NF4[codes] * absmax[:, None]).flatten()[: len(flat)].view_as(weight)


def quantize(model, which):
    """which: none, text (language layers only), or text_and_vision (every Linear but the head)."""
    if which == "none":
        return
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and "lm_head" not in name and (which == "text_and_vision" or "language_model" in name):
            module.weight.data = nf4_round_trip(module.weight.data)


def read_adapter(folder):
    """The adapter's settings and tensors, after checking names, shapes and completeness."""
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    tensors = load_file(folder / "adapter_model.safetensors")
    for key in ("peft_type", "r", "lora_alpha", "target_modules", "task_type", "base_model_name_or_path", "bias"):
        if key not in config:
            raise SystemExit(f"adapter_config.json: {key} is missing")
    if config["peft_type"] != "LORA":
        raise SystemExit(f"adapter_config.json: peft_type must be LORA, got {config['peft_type']}")
    pattern = re.compile(re.escape(PREFIX) + r"(.+)\.lora_([AB])\.weight")
    modules = {}
    for key, tensor in tensors.items():
        match = pattern.fullmatch(key)
        if not match:
            raise SystemExit(f"adapter_model.safetensors: {key} is not a PEFT LoRA name")
        modules.setdefault(match[1], {})[match[2]] = tensor.float()
    for name, parts in modules.items():
        if set(parts) != {"A", "B"}:
            raise SystemExit(f"{name}: only lora_{next(iter(parts))} is there")
        if parts["A"].shape[0] != config["r"] or parts["B"].shape[1] != config["r"]:
            raise SystemExit(f"{name}: shapes {tuple(parts['A'].shape)} and {tuple(parts['B'].shape)} do not fit r {config['r']}")
    return config, modules


def add_by_hand(model, config, modules):
    """Adds scale * B A to each adapted weight."""
    scale = config["lora_alpha"] / (config["r"] ** 0.5 if config.get("use_rslora") else config["r"])
    targets = config["target_modules"]
    for name, parts in modules.items():
        chosen = re.fullmatch(targets, name) if isinstance(targets, str) else any(name == t or name.endswith("." + t) for t in targets)
        if not chosen:
            raise SystemExit(f"{name} has weights but target_modules does not name it")
        weight = model.get_submodule(name).weight
        delta = parts["B"] @ parts["A"]
        if delta.shape != weight.shape:
            raise SystemExit(f"{name}: the adapter is {tuple(delta.shape)}, the model's weight {tuple(weight.shape)}")
        weight.data += scale * delta
    return model


def put_on(model, folder, config, modules):
    """The adapted model, and how it was made."""
    try:
        from peft import PeftModel
    except ImportError:
        return add_by_hand(model, config, modules), "added by hand (PEFT cannot be imported)"
    peft_model = PeftModel.from_pretrained(model, str(folder)).eval()
    loaded = sum("lora_" in name for name, _ in peft_model.named_parameters())
    if loaded != 2 * len(modules):
        raise SystemExit(f"PEFT loaded {loaded} tensors, the file holds {2 * len(modules)}")
    return peft_model, "loaded by PEFT"


def last_logits(model, processor, image_file, prompt):
    """Token ids of the prompt and the logits that follow its last token."""
    content = [{"type": "image"}, {"type": "text", "text": prompt}]
    text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    batch = processor(text=[text], images=[Image.open(image_file).convert("RGB")], return_tensors="pt")
    with torch.no_grad():
        return batch["input_ids"][0].tolist(), model(**batch).logits[0, -1].float()


def default_cases(data, count):
    rows = json.loads((data / "sft_val.json").read_text(encoding="utf-8"))[:count]
    return [{"image": row["image"], "prompt": row["conversations"][0]["value"].removeprefix("<image>")} for row in rows]


def main():
    parser = argparse.ArgumentParser(description="Compares a trained adapter's logits in PyTorch with Lorikeet's.")
    parser.add_argument("--adapter", type=Path, default=Path("outputs/demo/best"))
    parser.add_argument("--model", type=Path, default=Path("public/demo/model"))
    parser.add_argument("--data", type=Path, default=Path("public/demo/data"))
    parser.add_argument("--logits", type=Path, help="dump of npm run parity --dump-logits")
    parser.add_argument("--tolerance", type=float, default=2e-3, help="largest absolute difference of a logit")
    parser.add_argument("--samples", type=int, default=4, help="validation samples when there is no dump")
    options = parser.parse_args()
    torch.set_num_threads(1)

    dump = json.loads(options.logits.read_text(encoding="utf-8")) if options.logits else {}
    cases = dump.get("cases") or default_cases(options.data, options.samples)
    config, modules = read_adapter(options.adapter)
    processor = AutoProcessor.from_pretrained(options.model)
    model = Qwen3VLForConditionalGeneration.from_pretrained(options.model, dtype=torch.float32, attn_implementation="eager").eval()
    quantize(model, dump.get("quantization", "none"))

    before = [last_logits(model, processor, options.data / case["image"], case["prompt"]) for case in cases]
    if dump.get("adapter", True):
        model, how = put_on(model, options.adapter, config, modules)
    else:
        how = "left off, as in the dump"
    print(f"{len(modules)} modules, r {config['r']}, alpha {config['lora_alpha']}: {how}")

    failed = 0
    for index, (case, (base_ids, base_logits)) in enumerate(zip(cases, before)):
        ids, logits = last_logits(model, processor, options.data / case["image"], case["prompt"])
        moved = float((logits - base_logits).abs().max())
        if "last_logits" not in case:
            ok = moved > 0
            print(f"{case['image']}  the adapter moves the logits by up to {moved:.3f}  {'ok' if ok else 'FAIL: no difference'}")
        else:
            same_ids = case.get("input_ids", ids) == ids
            theirs = torch.tensor(case["last_logits"])
            error = float((logits - theirs).abs().max()) if theirs.shape == logits.shape else float("nan")
            same_top = same_ids and theirs.shape == logits.shape and int(theirs.argmax()) == int(logits.argmax())
            ok = same_ids and same_top and error <= options.tolerance
            print(
                f"{case['image']}  case {index}  max abs {error:.2e}  (adapter moves {moved:.3f})  "
                f"ids {'equal' if same_ids else 'DIFFER'}  top token {'equal' if same_top else 'DIFFERS'}  {'ok' if ok else 'FAIL'}"
            )
        failed += not ok
    print(f"{len(cases) - failed} of {len(cases)} cases agree")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
