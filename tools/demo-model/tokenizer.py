"""Trains the tokenizer: byte-level BPE with Qwen's pre-tokenizer pattern and special tokens, 1,024 tokens in all.

    python3 tokenizer.py MODEL_DIR
"""
import argparse
import json
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

import language
import scenes

VOCABULARY = 1024
CONTROL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>",
    "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>",
)
# Added tokens that Qwen does not mark as special: they stay when text is decoded without special tokens.
VISIBLE = (
    "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>",
    "<|file_sep|>", "<tool_response>", "</tool_response>", "<think>", "</think>",
)
# The published pattern of the Qwen tokenizers.
QWEN_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# Renders what the published template renders for system, user and assistant turns with images and videos.
CHAT_TEMPLATE = """{%- for message in messages -%}
{{- '<|im_start|>' ~ message.role ~ '\\n' -}}
{%- if message.content is string -%}
{{- message.content -}}
{%- else -%}
{%- for item in message.content -%}
{%- if item.type == 'image' -%}{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
{%- elif item.type == 'video' -%}{{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
{%- elif item.type == 'text' -%}{{- item.text -}}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"""
EVERYDAY = (
    "道路两侧的设备需要定期巡检，发现故障应当及时维修。", "请说明理由，并给出检测时间、地点和建议。", "你好，我是巡检助手，可以回答关于图片的问题。",
    "夜间光线不足时，路灯和信号灯尤其重要。", "Please look at the picture and answer briefly.", "Hello! You are a helpful assistant.",
    "A maintenance team checks lights, signs, cameras, rails, lamps and cabinets.", "red green blue yellow white black left right above below",
    "# - * 1. 2. 3. : ; ! ? ... -> == ( ) [ ] { } \" ' / \\ |", "user\nassistant\nsystem\n",
)


def corpus(rng, documents):
    """Questions, answers and reports about scenes that are made up, not drawn."""
    for _ in range(documents):
        kinds = rng.permutation(len(scenes.KINDS))[: int(rng.integers(0, 4))]
        devices = [scenes.Device(int(kind), bool(rng.integers(2)), tuple(int(v) for v in rng.integers(0, 1001, 4))) for kind in kinds]
        yield from language.ask(rng, devices)
        if rng.random() < 0.3:
            yield language.choose(rng, language.REPORT_PROMPTS)
            yield language.report_of(devices)
        yield language.choose(rng, EVERYDAY)


def train(documents, seed=7):
    added = CONTROL + VISIBLE
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    byte_level = dict(add_prefix_space=False, trim_offsets=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(QWEN_PATTERN), behavior="isolated"), pre_tokenizers.ByteLevel(**byte_level)]
    )
    tokenizer.post_processor = processors.ByteLevel(**byte_level)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(added), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), max_token_length=12, show_progress=False
    )
    tokenizer.train_from_iterator(corpus(np.random.default_rng(seed), documents), trainer)
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=text in CONTROL) for text in added])
    return tokenizer


def save(tokenizer, folder):
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    entries = {
        str(tokenizer.token_to_id(text)): {
            "content": text, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": text in CONTROL,
        }
        for text in CONTROL + VISIBLE
    }
    settings = {
        "add_bos_token": False, "add_prefix_space": False, "added_tokens_decoder": entries,
        "additional_special_tokens": list(CONTROL[1:]), "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
        "unk_token": None, "clean_up_tokenization_spaces": False, "errors": "replace", "model_max_length": 4096,
        "split_special_tokens": False, "tokenizer_class": "Qwen2Tokenizer", "chat_template": CHAT_TEMPLATE,
    }
    for name, content in (("tokenizer_config.json", settings), ("chat_template.json", {"chat_template": CHAT_TEMPLATE})):
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description="Trains the demo model's tokenizer.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--documents", type=int, default=4000)
    options = parser.parse_args()
    tokenizer = train(options.documents)
    save(tokenizer, options.folder)
    sample = language.report([("路灯", "不亮", (12, 340, 88, 951))])
    ids = tokenizer.encode(sample).ids
    assert tokenizer.decode(ids) == sample, "the tokenizer does not give back what it was given"
    print(f"{tokenizer.get_vocab_size()} tokens; a report of {len(sample)} characters takes {len(ids)} tokens")


if __name__ == "__main__":
    main()
