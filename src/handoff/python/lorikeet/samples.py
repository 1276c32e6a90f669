"""Samples of the bundle as the page's own tokens, labels and picture grids, checked against the run's fingerprint."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

IGNORE = -100
TURN = re.compile(r"<\|im_start\|>assistant\n([\s\S]*?<\|im_end\|>\n)")
SIDEWAYS = (5, 6, 7, 8)
ORIENTATION = 0x0112


class BadSample(Exception):
    """A sample that the page left out too: too long, without anything to learn, or with a picture that does not open."""


def read_rows(path):
    """Rows of a JSONL file."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


class Encoder:
    """Conversations and pictures to what the model takes."""

    def __init__(self, processor, config, folder):
        self.processor, self.tokenizer, self.config, self.folder = processor, processor.tokenizer, config, Path(folder)
        self.pictures = processor.image_processor
        self.image_id = self.tokenizer.convert_tokens_to_ids("<|image_pad|>")
        self.pad_id = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.tokenizer.eos_token_id
        self.openings = self._openings()

    def render(self, messages, **more):
        template = self.processor.chat_template or self.tokenizer.chat_template
        plain = [{key: value for key, value in message.items() if key != "loss"} for message in messages]
        return self.tokenizer.apply_chat_template(plain, chat_template=template, tokenize=False, **{"enable_thinking": False, **more})

    def encode(self, messages, images, turns):
        """
        Token ids, labels and grids of a conversation whose answers are to be learnt.
        turns: "all" or "last", which answers carry labels.
        """
        text = self.render(messages)
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
        labels = [IGNORE] * len(ids)
        answers = [message for message in messages if message["role"] == "assistant"]
        found = list(TURN.finditer(text))
        for i, turn in enumerate(found):
            last = i == len(found) - 1
            if (turns == "last" and not last) or (len(found) == len(answers) and answers[i].get("loss") is False):
                continue
            begin = turn.start(1) + (0 if self.config.get("labels_with_think_prefix") else self._opening_of(turn[1]))
            for t, (start, end) in enumerate(offsets):
                if start >= begin and end <= turn.end(1) and end > start:
                    labels[t] = ids[t]
        return self._with_pictures(ids, labels, images)

    def encode_prompt(self, row):
        """Token ids and grids of a prompt that is to be answered; no labels."""
        text = self.render(row["prompt"], add_generation_prompt=True, enable_thinking=self.config["enable_thinking"])
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return {**self._with_pictures(ids, [IGNORE] * len(ids), row["images"]), "row": row}

    def seen_size(self, side):
        """Width and height in pixels at which the model sees a sample's first picture; None without one."""
        if not side["grids"]:
            return None
        _, height, width = side["grids"][0]
        return [width * self.pictures.patch_size, height * self.pictures.patch_size]

    def load(self, name):
        """A picture as the page sees it: upright, RGB, shrunk first where the settings say so."""
        picture = ImageOps.exif_transpose(Image.open(self.folder / name)).convert("RGB")
        size = self._shrunk(*picture.size)
        return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)

    def collate(self, rows):
        """Right-padded tensors of encoded rows; labels stay beside them for the loss."""
        length = max(len(row["input_ids"]) for row in rows)

        def padded(key, fill):
            return torch.tensor([row[key] + [fill] * (length - len(row[key])) for row in rows])

        ids = padded("input_ids", self.pad_id)
        batch = {
            "input_ids": ids,
            "attention_mask": torch.tensor([[1] * len(row["input_ids"]) + [0] * (length - len(row["input_ids"])) for row in rows]),
            "mm_token_type_ids": (ids == self.image_id).int(),
            "labels": padded("labels", IGNORE),
        }
        pictures = [self.load(name) for row in rows for name in row["images"]]
        if pictures:
            batch.update(self.pictures(images=pictures, return_tensors="pt"))
        return batch

    def _openings(self):
        """What prompts of thinking models end with after the assistant's tag: an empty or an opened block of thoughts."""
        question = [{"role": "user", "content": [{"type": "text", "text": "?"}]}]
        asked = self.render(question) + "<|im_start|>assistant\n"
        prompts = [self.render(question, add_generation_prompt=True, enable_thinking=thinks) for thinks in (False, True)]
        return sorted((prompt[len(asked) :] if prompt.startswith(asked) else "" for prompt in prompts), key=len, reverse=True)

    def _opening_of(self, answer):
        return next((len(opening) for opening in self.openings if answer.startswith(opening)), 0)

    def _shrunk(self, width, height):
        most = self.config["max_image_size"]
        longest = max(width, height)
        if most == 0 or longest <= most:
            return width, height
        return max(1, int(width * (most / longest))), max(1, int(height * (most / longest)))

    def _grid(self, name):
        try:
            with Image.open(self.folder / name) as picture:
                width, height = picture.size
                if picture.getexif().get(ORIENTATION) in SIDEWAYS:
                    width, height = height, width
        except OSError as error:
            raise BadSample(f"{name} does not open: {error}") from error
        width, height = self._shrunk(width, height)
        settings = self.pictures
        patch, merge = settings.patch_size, settings.merge_size
        size = settings.size if isinstance(settings.size, dict) else dict(settings.size)
        bounds = {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}
        height, width = smart_resize(height, width, factor=patch * merge, **bounds)
        return [1, height // patch, width // patch]

    def _with_pictures(self, ids, labels, images):
        if ids.count(self.image_id) != len(images):
            raise BadSample(f"{ids.count(self.image_id)} places for {len(images)} pictures")
        grids = [self._grid(name) for name in images]
        copies = iter([t * h * w // self.pictures.merge_size**2 for t, h, w in grids])
        full, learnt = [], []
        for token, label in zip(ids, labels):
            count = next(copies, 0) if token == self.image_id else 1
            full += [token] * count
            learnt += [label] * count
        if len(full) > self.config["max_length"]:
            raise BadSample(f"{len(full)} tokens, max_length is {self.config['max_length']}")
        return {"input_ids": full, "labels": learnt, "images": images, "grids": grids, "label_tokens": sum(label != IGNORE for label in learnt)}


def _sides(row, encoder, method):
    if method.startswith("grpo"):
        return [encoder.encode_prompt(row)]
    if method == "dpo":
        sides = [(row["prompt"] + row[side], "last") for side in ("chosen", "rejected")]
    else:
        sides = [(row["messages"], encoder.config["assistant_turns"])]
    encoded = [encoder.encode(messages, row.get("images", []), turns) for messages, turns in sides]
    if any(side["label_tokens"] == 0 for side in encoded):
        raise BadSample("nothing to learn")
    return encoded


def encode_rows(rows, encoder, method):
    """
    All usable samples as lists of one row (SFT, prompts) or two (DPO: chosen, rejected), and how many were left out.
    A sample is left out for the page's own reasons, so that positions mean the same samples in both.
    """
    usable, refused = [], 0
    for row in rows:
        try:
            encoded = _sides(row, encoder, method)
        except BadSample:
            refused += 1
            continue
        usable.append(encoded)
    return usable, refused


def fingerprint(samples):
    """The page's own fingerprint of its training samples: SHA-256 over tokens, labels and grids, in their order."""
    lines = []
    for i, sides in enumerate(samples):
        sums = []
        for side in sides:
            numbers = side["input_ids"] + side["labels"] + [n for grid in side["grids"] for n in grid]
            sums.append(hashlib.sha256(np.asarray(numbers, dtype="<i4").tobytes()).hexdigest())
        lines.append(f"{i} {' '.join(sums)}")
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
