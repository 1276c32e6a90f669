"""The base model as the page had it in memory, with the run's adapter on it."""

import torch
from peft import PeftModel
from transformers import AutoModelForImageTextToText, BitsAndBytesConfig

NF4 = torch.tensor(
    # fmt: off
    [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
     -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
     0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0],
    # fmt: on
)


def dynamic_map():
    """The signed 8-bit levels that the second quantisation of NF4 uses."""
    levels = [0.0, 1.0]
    for decade in range(7):
        edges = torch.linspace(0.1, 1, 2**decade + 1, dtype=torch.float64)
        for middle in ((edges[:-1] + edges[1:]) / 2).tolist():
            levels += [middle * 10.0 ** (decade - 6), -middle * 10.0 ** (decade - 6)]
    return torch.tensor(sorted(levels), dtype=torch.float32)


def nf4_round_trip(weight):
    """NF4 in blocks of 64, the blocks' scales in 8 bits in blocks of 256, and back to float32."""
    flat = weight.detach().float().flatten()
    blocks = torch.nn.functional.pad(flat, (0, -len(flat) % 64)).view(-1, 64)
    absmax = blocks.abs().amax(1)
    inverse = torch.where(absmax > 0, 1 / absmax, torch.zeros_like(absmax))
    codes = torch.bucketize(blocks * inverse[:, None], (NF4[1:] + NF4[:-1]) / 2)
    offset = absmax.mean()
    centred = torch.nn.functional.pad(absmax - offset, (0, -len(absmax) % 256)).view(-1, 256)
    scale = centred.abs().amax(1, keepdim=True).clamp(min=1e-38)
    levels = dynamic_map()
    nearest = torch.bucketize(centred / scale, (levels[1:] + levels[:-1]) / 2)
    absmax = (levels[nearest] * scale).flatten()[: len(absmax)] + offset
    return (NF4[codes] * absmax[:, None]).flatten()[: len(flat)].view_as(weight)


def quantised_in_place(model, vision):
    """Gives every Linear but the head the values that its NF4 codes stand for."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear) and "lm_head" not in name and (vision or "language_model" in name):
            module.weight.data = nf4_round_trip(module.weight.data).to(module.weight.dtype)


def quantisation(config, device):
    """BitsAndBytesConfig for a CUDA device, or None where weights stay dense."""
    if device != "cuda" or not (config["load_in_4bit"] or config["load_in_8bit"]):
        return None
    spared = ["lm_head"] if config["quantize_vision"] else ["lm_head", "visual"]
    if config["load_in_4bit"]:
        return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16, llm_int8_skip_modules=spared)
    return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=spared)


def base_of(run, options):
    """Folder or Hub id of the base model, and its revision. Exits where nobody has said which folder."""
    if options.model:
        return options.model, None
    base = run["base_model"]
    if base["place"] == "folder":
        raise SystemExit(f"The base model was the folder {base['id']!r}: give it with --model FOLDER.")
    return (str(options.bundle / base["id"]) if base["place"] == "bundle" else base["id"]), base["revision"]


def load(run, options, adapter):
    """
    The PEFT model, trainable, with the adapter of the folder `adapter`; where a run began from an adapter, that one is
    on it too, under the name "reference". Without CUDA, NF4 is computed once and the weights stay dense: the same values.
    """
    config = run["config"]
    where, revision = base_of(run, options)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[options.dtype]
    packed = quantisation(config, device)
    base = AutoModelForImageTextToText.from_pretrained(where, revision=revision, dtype=dtype, attn_implementation=options.attention, quantization_config=packed)
    if packed is None and config["load_in_4bit"]:
        quantised_in_place(base, config["quantize_vision"])
    for parameter in base.parameters():
        parameter.requires_grad_(False)
    model = PeftModel.from_pretrained(base, str(adapter), is_trainable=True)
    if config["method"] != "sft":
        without_dropout(model)
    if run["starts_from_adapter"] and config["method"] != "sft":
        model.load_adapter(str(options.bundle / "start"), adapter_name="reference", is_trainable=False)
        model.set_adapter("default")
    base.config.use_cache = False
    return model


def without_dropout(model):
    """The page drops nothing where two passes over the same tokens must agree, whatever adapter_config.json says."""
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Dropout) and "lora_dropout" in name:
            module.p = 0.0


def page_name(parameter):
    """Name of a LoRA matrix as the page's optimizer file has it."""
    return parameter.removeprefix("base_model.model.").replace(".default.", ".")
