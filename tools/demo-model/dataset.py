"""Draws the fine-tuning data: inspection reports (SFT, LLaVA layout) and preferred/rejected pairs (DPO).

    python3 dataset.py DATA_DIR
"""
import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

import language
import scenes
from scenes import KINDS

DPO_KINDS = ("shift", "category", "status", "missing", "extra", "format")
PALETTE = 128  # colours of the PNGs, to keep them small


class Album:
    """Numbers the pictures and writes them as palette PNGs."""

    def __init__(self, folder):
        self.folder, self.count = folder, 0
        (folder / "images").mkdir(parents=True, exist_ok=True)

    def draw(self, rng, counts):
        image, devices = scenes.random_scene(rng, counts, noise=0.4)
        self.count += 1
        name = f"images/{self.count:06d}.png"
        small = image.quantize(PALETTE, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        small.save(self.folder / name, optimize=True)
        return name, devices


def sft_samples(album, rng, prefix, count):
    samples = []
    for index in range(count):
        name, devices = album.draw(rng, (0.12, 0.33, 0.32, 0.23))
        samples.append({
            "id": f"{prefix}_{index:04d}",
            "image": name,
            "conversations": [
                {"from": "human", "value": "<image>\n" + language.choose(rng, language.REPORT_PROMPTS)},
                {"from": "gpt", "value": language.report_of(devices)},
            ],
        })
    return samples


def shift_box(rng, box):
    """A box of the same size that overlaps the true one by less than half."""
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    while True:
        left, top = int(rng.integers(0, 1001 - width)), int(rng.integers(0, 1001 - height))
        shared = max(0, width - abs(left - x1)) * max(0, height - abs(top - y1))
        if shared < 0.5 * width * height:
            return (left, top, left + width, top + height)


def spoil_format(rng, text):
    spoilers = (
        lambda t: t.replace("<box>", "").replace("</box>", ""),
        lambda t: t.replace("状态：", ""),
        lambda t: t.replace("\n", " "),
        lambda t: t.replace("(", "[").replace(")", "]"),
        lambda t: t.split("：\n", 1)[-1],
    )
    return language.choose(rng, spoilers)(text)


def rejected_answer(rng, devices, kind):
    """The true report with one mistake of the given kind."""
    items = [(device.zh, device.status_zh, device.box) for device in devices]
    if kind == "format":
        return spoil_format(rng, language.report(items))
    if kind == "extra":
        invented = language.choose(rng, language.absent_kinds(devices))
        width, height = int(rng.integers(150, 350)), int(rng.integers(180, 400))
        left, top = int(rng.integers(0, 1000 - width)), int(rng.integers(0, 1000 - height))
        items.append((invented.zh, invented.status_zh(bool(rng.integers(2))), (left, top, left + width, top + height)))
        items.sort(key=lambda item: item[2][0])
        return language.report(items)
    index = int(rng.integers(len(items)))
    device, (category, status, box) = devices[index], items[index]
    if kind == "missing":
        del items[index]
    elif kind == "shift":
        items[index] = (category, status, shift_box(rng, box))
    elif kind == "status":
        items[index] = (category, KINDS[device.kind].status_zh(not device.faulty), box)
    else:
        other = language.choose(rng, [kind for kind in KINDS if kind.zh != category])
        items[index] = (other.zh, other.status_zh(device.faulty), box)
    return language.report(items)


def dpo_samples(album, rng, prefix, count):
    samples = []
    for index in range(count):
        kind = DPO_KINDS[index % len(DPO_KINDS)]
        name, devices = album.draw(rng, (0.3, 0.4, 0.3) if kind == "extra" else (0, 0.4, 0.35, 0.25))
        if not devices:
            kind = "extra"
        samples.append({
            "id": f"{prefix}_{index:04d}",
            "image": name,
            "prompt": language.choose(rng, language.REPORT_PROMPTS),
            "chosen": language.report_of(devices),
            "rejected": rejected_answer(rng, devices, kind),
            "kind": kind,
        })
    rng.shuffle(samples)
    return samples


def main():
    parser = argparse.ArgumentParser(description="Draws the demo's fine-tuning data.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sft", type=int, nargs=2, default=(320, 64), metavar=("TRAIN", "VAL"))
    parser.add_argument("--dpo", type=int, nargs=2, default=(192, 48), metavar=("TRAIN", "VAL"))
    parser.add_argument("--seed", type=int, default=1000)
    options = parser.parse_args()
    album = Album(options.folder)
    plan = (
        ("sft_train", sft_samples, "train", options.sft[0]), ("sft_val", sft_samples, "val", options.sft[1]),
        ("dpo_train", dpo_samples, "dpo_train", options.dpo[0]), ("dpo_val", dpo_samples, "dpo_val", options.dpo[1]),
    )
    for offset, (name, build, prefix, count) in enumerate(plan):
        samples = build(album, np.random.default_rng(options.seed + offset), prefix, count)
        assert all(sample.get("chosen") != sample.get("rejected") for sample in samples if "chosen" in sample), "a rejected answer is right"
        (options.folder / f"{name}.json").write_text(json.dumps(samples, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {len(samples)} samples")
    print(f"{album.count} pictures")


if __name__ == "__main__":
    main()
