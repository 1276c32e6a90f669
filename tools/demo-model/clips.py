"""Draws short clips of roadside devices that move, fail or are repaired: the demo's set with video (LLaVA layout).

    python3 clips.py DATA_DIR

A clip is a folder of frames; its samples name them one by one. Frames come in pairs that hardly differ: the models
merge two frames into one patch. The answer reports what is seen at the end.
"""
import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import language
import scenes
from scenes import KINDS, OVERSAMPLING

SIZES = ((128, 96), (96, 128), (128, 128))  # width, height: multiples of 32
FRAMES = 6
FPS = 2
PALETTE = 48  # colours of the PNGs, to keep them small
PROMPTS = (
    "视频结束时路侧设备是什么状态、在什么位置？请逐个报告。",
    "观看视频，报告最后一刻每个设备的类别、状态和坐标框。",
    "视频中的设备发生了变化，请报告变化后的状态与位置。",
)
SHARE_OF_CHANGES = 0.6  # of devices whose state changes
LONGEST_WAY = 0.4  # of the picture's width, in a whole clip


@dataclass(frozen=True)
class Part:
    """One device of a clip: where it begins and ends (left and lower edge, in oversampled pixels), and its state in each pair of frames."""
    kind: int
    seed: int
    size: tuple
    start: tuple
    end: tuple
    faulty: tuple

    def at(self, frame):
        """Place in one frame: whole steps from pair to pair, a pixel within one."""
        pairs = FRAMES // 2
        share = (frame // 2) / (pairs - 1)
        left, bottom = (a + (b - a) * share for a, b in zip(self.start, self.end))
        return left + (OVERSAMPLING if frame % 2 and self.start != self.end else 0), bottom


def paint(part, frame, width, height):
    """The device on a transparent layer of the picture's size, and its painted box in pixels; None if nothing of it is to be seen."""
    scale = OVERSAMPLING
    rng = np.random.default_rng(part.seed)
    turned, angle = rng.random() < 0.5, float(rng.choice([-1, 1]) * rng.uniform(22, 45))
    (w, h), (left, bottom), faulty = part.size, part.at(frame), part.faulty[frame // 2]
    layer = Image.new("RGBA", (width * scale, height * scale), (0, 0, 0, 0))
    brush_left = width * scale - left - w if part.kind == 4 and turned else left
    scenes.DRAW[part.kind](scenes.Brush(layer, brush_left, bottom - h, w, h), rng, faulty)
    if part.kind == 4 and turned:  # the arm to the left
        layer = layer.transpose(Image.FLIP_LEFT_RIGHT)
    if part.kind == 1 and faulty:
        layer = layer.rotate(angle, resample=Image.BILINEAR, center=(left + w / 2, bottom))
    layer = layer.resize((width, height), Image.LANCZOS)
    box = layer.getchannel("A").point(lambda a: 255 if a > 96 else 0).getbbox()
    return None if box is None else (layer, box)


def draw_part(rng, kind, width, height, moves):
    """A device that moves, or changes its state, or both."""
    scale, spec = OVERSAMPLING, KINDS[kind]
    h = rng.uniform(*spec.height) * height * scale
    w = min(h * spec.aspect * rng.uniform(0.9, 1.1), 0.6 * width * scale)
    room = 0.96 * width * scale - w
    bottom = rng.uniform(*spec.band) * height * scale
    start = rng.uniform(0.02 * width * scale, max(0.03 * width * scale, room))
    way = rng.choice([-1, 1]) * rng.uniform(0.15, LONGEST_WAY) * width * scale if moves else 0
    end = float(np.clip(start + way, 0.02 * width * scale, max(0.03 * width * scale, room)))
    before, changes = bool(rng.random() < 0.5), not moves or rng.random() < SHARE_OF_CHANGES
    when = int(rng.integers(1, FRAMES // 2)) if changes else FRAMES
    faulty = tuple(before if pair < when else not before for pair in range(FRAMES // 2))
    return Part(kind, int(rng.integers(2**31)), (w, h), (start, bottom), (end, bottom), faulty)


def draw_clip(rng):
    """(frames as RGB images, devices as they are at the end, from left to right); none of the frames hides one device behind another."""
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    background = scenes.paint_background(rng, width, height).convert("RGBA")
    count = 1 if rng.random() < 0.65 else 2
    painted = []  # per device: (part, [(layer, box) per frame])
    for kind in rng.permutation(len(KINDS))[:count]:
        for _ in range(30):
            part = draw_part(rng, int(kind), width, height, moves=bool(rng.random() < 0.7))
            layers = [paint(part, frame, width, height) for frame in range(FRAMES)]
            if any(layer is None or max(layer[1][2] - layer[1][0], layer[1][3] - layer[1][1]) < scenes.SHORTEST_LONG_SIDE for layer in layers):
                continue
            if any(scenes.overlaps(layers[frame][1], [other[frame][1] for _, other in painted]) for frame in range(FRAMES)):
                continue
            painted.append((part, layers))
            break
    frames = []
    for frame in range(FRAMES):
        image = background.copy()
        for _, layers in painted:
            image.alpha_composite(layers[frame][0])
        frames.append(image.convert("RGB"))
    devices = []
    for part, layers in painted:
        x1, y1, x2, y2 = layers[-1][1]
        box = (round(x1 / width * 1000), round(y1 / height * 1000), round(x2 / width * 1000), round(y2 / height * 1000))
        devices.append(scenes.Device(part.kind, part.faulty[-1], box))
    return frames, sorted(devices, key=lambda device: device.box[0])


def save(frames, folder):
    """Writes the frames with one palette for all, so that what stands still has the same pixels in each."""
    folder.mkdir(parents=True, exist_ok=True)
    strip = Image.new("RGB", (frames[0].width, frames[0].height * len(frames)))
    for i, frame in enumerate(frames):
        strip.paste(frame, (0, i * frame.height))
    small = strip.quantize(PALETTE, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    for i, frame in enumerate(frames):
        small.crop((0, i * frame.height, frame.width, (i + 1) * frame.height)).save(folder / f"{i + 1}.png", optimize=True)


def main():
    parser = argparse.ArgumentParser(description="Draws the demo's clips.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clips", type=int, nargs=2, default=(40, 12), metavar=("TRAIN", "VAL"))
    parser.add_argument("--seed", type=int, default=4000)
    options = parser.parse_args()
    number = 0
    for offset, (name, prefix, count) in enumerate(zip(("sft_train", "sft_val"), ("clip_train", "clip_val"), options.clips)):
        rng, samples = np.random.default_rng(options.seed + offset), []
        while len(samples) < count:
            frames, devices = draw_clip(rng)
            if not devices:
                continue
            number += 1
            folder = f"clips/{number:03d}"
            save(frames, options.folder / folder)
            samples.append({
                "id": f"{prefix}_{len(samples):03d}",
                "video": [f"{folder}/{i + 1}.png" for i in range(FRAMES)],
                "fps": FPS,
                "conversations": [
                    {"from": "human", "value": "<video>\n" + language.choose(rng, PROMPTS)},
                    {"from": "gpt", "value": language.report_of(devices)},
                ],
            })
        (options.folder / f"{name}.json").write_text(json.dumps(samples, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        print(f"{name}: {len(samples)} samples")


if __name__ == "__main__":
    main()
