"""Draws roadside scenes and says exactly where each device is.

Every device is painted on a transparent layer of its own, larger than the picture. The layer's painted area gives the
box, so that a box always fits what can be seen, however the device was tilted or broken.
"""
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

OVERSAMPLING = 4
SIZES = ((128, 128), (160, 128), (128, 96), (96, 128))  # width, height: multiples of 32
SHORTEST_LONG_SIDE = 28  # pixels; smaller devices cannot be told apart at patch size 16


@dataclass(frozen=True)
class Kind:
    zh: str
    en: str
    fault_zh: str
    fault_en: str
    aspect: float  # width / height as drawn
    height: tuple  # range of its height as a share of the picture's height
    band: tuple  # range of its lower edge as a share of the picture's height

    def status_zh(self, faulty):
        return self.fault_zh if faulty else "正常"

    def status_en(self, faulty):
        return self.fault_en if faulty else "normal"


KINDS = (
    Kind("交通信号灯", "traffic light", "全灭", "dark", 0.45, (0.26, 0.46), (0.35, 0.62)),
    Kind("交通标志", "traffic sign", "倾斜", "tilted", 0.62, (0.30, 0.52), (0.60, 0.95)),
    Kind("监控摄像头", "camera", "损坏", "broken", 1.45, (0.18, 0.30), (0.25, 0.50)),
    Kind("护栏", "guardrail", "破损", "damaged", 2.60, (0.16, 0.24), (0.70, 0.95)),
    Kind("路灯", "street lamp", "不亮", "off", 0.46, (0.42, 0.70), (0.62, 0.92)),
    Kind("机箱", "cabinet", "异常", "open", 0.78, (0.26, 0.40), (0.72, 0.97)),
)


@dataclass(frozen=True)
class Device:
    kind: int
    faulty: bool
    box: tuple  # x1, y1, x2, y2 in thousandths of width and height

    @property
    def zh(self):
        return KINDS[self.kind].zh

    @property
    def en(self):
        return KINDS[self.kind].en

    @property
    def status_zh(self):
        return KINDS[self.kind].status_zh(self.faulty)

    @property
    def status_en(self):
        return KINDS[self.kind].status_en(self.faulty)


def shade(colour, factor):
    return tuple(int(min(255, max(0, channel * factor))) for channel in colour)


class Brush:
    """Draws on a layer in the device's own coordinates: (0, 0) is its upper left corner, (1, 1) its lower right."""

    def __init__(self, layer, left, top, width, height):
        self.draw = ImageDraw.Draw(layer)
        self.left, self.top, self.width, self.height = left, top, width, height

    def at(self, x, y):
        return self.left + x * self.width, self.top + y * self.height

    def box(self, x1, y1, x2, y2, fill, edge=None):
        thick = max(2, int(0.03 * self.height)) if edge else 0
        self.draw.rectangle([self.at(x1, y1), self.at(x2, y2)], fill=fill, outline=edge, width=thick)

    def disc(self, x, y, radius, fill):
        """radius: share of the width; always round on the picture."""
        cx, cy = self.at(x, y)
        r = radius * self.width
        self.draw.ellipse([cx - r, cy - r, cx + r, cy + r], fill=fill)

    def shape(self, points, fill):
        self.draw.polygon([self.at(*point) for point in points], fill=fill)

    def stroke(self, points, fill, thickness):
        """thickness: share of the shorter side."""
        width = max(2, int(thickness * min(self.width, self.height)))
        self.draw.line([self.at(*point) for point in points], fill=fill, width=width, joint="curve")


def draw_traffic_light(brush, rng, faulty):
    housing = tuple(int(v) for v in rng.integers(20, 60, 3))
    brush.box(0, 0, 1, 1, housing, shade(housing, 2.2))
    lamps = [(240, 50, 40), (250, 200, 50), (60, 240, 120)]
    lit = None if faulty else int(rng.integers(3))
    for i, colour in enumerate(lamps):
        y = 0.18 + 0.32 * i
        brush.disc(0.5, y, 0.34, colour if i == lit else shade(colour, 0.16))
        if i == lit:
            brush.disc(0.5, y, 0.16, (255, 255, 230))


def draw_traffic_sign(brush, rng, faulty):
    brush.box(0.46, 0.45, 0.54, 1, (150, 152, 158))
    style = int(rng.integers(3))
    if style == 0:
        brush.disc(0.5, 0.3, 0.48, (205, 30, 40))
        brush.disc(0.5, 0.3, 0.34, (245, 245, 245))
        brush.box(0.3, 0.26, 0.7, 0.34, (40, 40, 45))
    elif style == 1:
        brush.disc(0.5, 0.3, 0.48, (30, 90, 190))
        brush.shape([(0.5, 0.1), (0.74, 0.3), (0.58, 0.3), (0.58, 0.48), (0.42, 0.48), (0.42, 0.3), (0.26, 0.3)], (245, 245, 250))
    else:
        brush.shape([(0.5, 0), (1, 0.56), (0, 0.56)], (35, 35, 35))
        brush.shape([(0.5, 0.09), (0.86, 0.5), (0.14, 0.5)], (250, 205, 40))
        brush.box(0.46, 0.2, 0.54, 0.44, (35, 35, 35))


def draw_camera(brush, rng, faulty):
    body = tuple([int(rng.integers(175, 240))] * 3)
    brush.box(0.86, 0.1, 0.96, 1, shade(body, 0.55))  # wall bracket
    brush.stroke([(0.55, 0.55), (0.7, 0.8), (0.9, 0.8)], shade(body, 0.55), 0.1)
    if faulty:  # the housing hangs down, its glass cracked, a wire loose
        brush.shape([(0.38, 0.3), (0.66, 0.42), (0.36, 1), (0.08, 0.86)], body)
        brush.shape([(0.08, 0.86), (0.36, 1), (0.3, 0.82), (0.14, 0.74)], (25, 25, 30))
        brush.stroke([(0.2, 0.98), (0.26, 0.74), (0.16, 0.7)], (250, 250, 250), 0.05)
        brush.stroke([(0.6, 0.4), (0.75, 0.3), (0.9, 0.55)], (205, 50, 45), 0.06)
    else:
        brush.box(0.04, 0.16, 0.66, 0.6, body, shade(body, 0.6))
        brush.box(0, 0.06, 0.6, 0.18, shade(body, 0.7))
        brush.disc(0.14, 0.38, 0.12, (20, 22, 28))
        brush.disc(0.14, 0.38, 0.05, (80, 110, 190))


def draw_guardrail(brush, rng, faulty):
    metal = tuple(int(v) for v in np.array([200, 205, 212]) * rng.uniform(0.8, 1.1))
    for x in (0.08, 0.36, 0.64, 0.92):
        if not (faulty and x == 0.64):
            brush.box(x - 0.02, 0.1, x + 0.02, 1, shade(metal, 0.6))
    if faulty:  # a gap; the broken ends are bent away
        left, right = rng.uniform(0.42, 0.5), rng.uniform(0.74, 0.82)
        for y in (0.12, 0.45):
            brush.stroke([(0, y), (left - 0.1, y), (left, y + 0.3)], metal, 0.2)
            brush.stroke([(right, y + 0.25), (right + 0.08, y), (1, y)], metal, 0.2)
    else:
        for y in (0.12, 0.45):
            brush.box(0, y, 1, y + 0.2, metal)
            brush.box(0, y + 0.15, 1, y + 0.2, shade(metal, 0.7))


def draw_street_lamp(brush, rng, faulty):
    pole = tuple([int(rng.integers(90, 150))] * 3)
    brush.box(0.1, 0.08, 0.2, 1, pole)
    brush.stroke([(0.15, 0.12), (0.35, 0.05), (0.7, 0.05)], pole, 0.1)
    brush.box(0.55, 0.03, 1, 0.1, shade(pole, 0.8))
    if faulty:
        brush.box(0.6, 0.1, 0.95, 0.14, (45, 45, 52))
    else:
        brush.shape([(0.6, 0.1), (0.95, 0.1), (1, 0.2), (0.5, 0.2)], (255, 235, 150))
        brush.box(0.6, 0.1, 0.95, 0.14, (255, 252, 230))


def draw_cabinet(brush, rng, faulty):
    paint = ((120, 140, 120), (150, 150, 155), (180, 175, 150))[int(rng.integers(3))]
    brush.box(0.1, 0, 0.9, 0.94, paint, shade(paint, 0.6))
    brush.box(0.16, 0.94, 0.84, 1, shade(paint, 0.4))
    if faulty:  # open door: dark inside with wires, the leaf swung out to the left
        brush.box(0.2, 0.08, 0.82, 0.86, (22, 24, 28))
        for x, colour in ((0.35, (210, 60, 50)), (0.5, (60, 120, 210)), (0.65, (230, 190, 60))):
            brush.stroke([(x, 0.12), (x + rng.uniform(-0.1, 0.1), 0.5), (x, 0.8)], colour, 0.04)
        brush.shape([(0.2, 0.08), (0, 0.16), (0, 0.98), (0.2, 0.86)], shade(paint, 1.15))
    else:
        brush.stroke([(0.5, 0.06), (0.5, 0.88)], shade(paint, 0.6), 0.03)
        brush.box(0.55, 0.42, 0.6, 0.54, shade(paint, 0.35))
        for y in (0.12, 0.18, 0.24):
            brush.box(0.2, y, 0.42, y + 0.02, shade(paint, 0.6))


DRAW = (draw_traffic_light, draw_traffic_sign, draw_camera, draw_guardrail, draw_street_lamp, draw_cabinet)


def paint_background(rng, width, height):
    """Sky, skyline, trees, road, cars. Nothing in it looks like a device."""
    brightness = rng.uniform(0.45, 1.0)
    horizon = int(height * rng.uniform(0.45, 0.6))
    top, low = shade((110, 160, 220), brightness), shade((215, 222, 230), brightness)
    rows = np.linspace(0, 1, height)[:, None, None]
    image = Image.fromarray((np.array(top) * (1 - rows) + np.array(low) * rows + np.zeros((height, width, 1))).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    x = 0
    while x < width:
        w, h = int(width * rng.uniform(0.08, 0.2)), int(height * rng.uniform(0.1, 0.32))
        wall = shade((165, 150, 140), brightness * rng.uniform(0.6, 1.05))
        draw.rectangle([x, horizon - h, x + w, horizon], fill=wall)
        for wx in range(x + w // 6, x + w - w // 8, max(3, w // 4)):
            for wy in range(horizon - h + h // 6, horizon - h // 8, max(3, h // 4)):
                draw.rectangle([wx, wy, wx + w // 10, wy + h // 10], fill=shade(wall, rng.uniform(0.55, 1.3)))
        x += w + int(rng.integers(0, max(1, width // 12)))
    draw.rectangle([0, horizon, width, height], fill=shade((110, 130, 95), brightness))
    left, right = width * rng.uniform(0.1, 0.3), width * rng.uniform(0.7, 0.95)
    middle = width * rng.uniform(0.4, 0.6)
    draw.polygon([(middle - width * 0.05, horizon), (middle + width * 0.05, horizon), (right, height), (left, height)], fill=shade((95, 97, 102), brightness))
    for i in range(4):
        a, b = (i + 0.2) / 4, (i + 0.6) / 4
        centre = lambda t: (middle * (1 - t) + (left + right) / 2 * t, horizon + t * (height - horizon))
        draw.line([centre(a), centre(b)], fill=shade((225, 225, 215), brightness), width=max(1, int(width * 0.012 * (1 + i))))
    for _ in range(int(rng.integers(0, 3))):
        tx, r = rng.uniform(0, width), height * rng.uniform(0.07, 0.13)
        draw.rectangle([tx - r * 0.12, horizon - r, tx + r * 0.12, horizon + r * 0.4], fill=shade((95, 75, 55), brightness))
        draw.ellipse([tx - r, horizon - 2.2 * r, tx + r, horizon - 0.4 * r], fill=shade((70, 115, 65), brightness * rng.uniform(0.7, 1.1)))
    for _ in range(int(rng.integers(0, 2))):
        cx, cy, s = rng.uniform(left, right), rng.uniform(horizon + height * 0.1, height * 0.85), width * rng.uniform(0.08, 0.14)
        paint = shade(tuple(rng.integers(60, 220, 3)), brightness)
        draw.rectangle([cx - s, cy - s * 0.5, cx + s, cy], fill=paint)
        draw.polygon([(cx - s * 0.6, cy - s * 0.5), (cx - s * 0.4, cy - s), (cx + s * 0.4, cy - s), (cx + s * 0.6, cy - s * 0.5)], fill=shade(paint, 0.6))
    return image


def paint_device(rng, kind, faulty, width, height):
    """One device on a transparent layer of the picture's size, and its painted box in pixels; None if it ended too small."""
    spec = KINDS[kind]
    scale = OVERSAMPLING
    h = rng.uniform(*spec.height) * height * scale
    w = min(h * spec.aspect * rng.uniform(0.9, 1.1), 0.85 * width * scale)
    left = rng.uniform(0.02 * width * scale, max(0.03 * width * scale, 0.98 * width * scale - w))
    bottom = rng.uniform(*spec.band) * height * scale
    layer = Image.new("RGBA", (width * scale, height * scale), (0, 0, 0, 0))
    DRAW[kind](Brush(layer, left, bottom - h, w, h), rng, faulty)
    if kind == 4 and rng.random() < 0.5:  # the arm to the left
        layer = layer.transpose(Image.FLIP_LEFT_RIGHT)
    if kind == 1 and faulty:
        angle = float(rng.choice([-1, 1]) * rng.uniform(22, 45))
        layer = layer.rotate(angle, resample=Image.BILINEAR, center=(left + w / 2, bottom))
    layer = layer.resize((width, height), Image.LANCZOS)
    box = layer.getchannel("A").point(lambda a: 255 if a > 96 else 0).getbbox()
    if box is None or max(box[2] - box[0], box[3] - box[1]) < SHORTEST_LONG_SIDE:
        return None
    return layer, box


def overlaps(box, others):
    """True if the box shares more than a tenth of the smaller area with any other box."""
    def area(b):
        return max(0, b[2] - b[0]) * max(0, b[3] - b[1])

    for other in others:
        shared = area((max(box[0], other[0]), max(box[1], other[1]), min(box[2], other[2]), min(box[3], other[3])))
        if shared > 0.1 * min(area(box), area(other)):
            return True
    return False


def render(rng, size, count, noise=3.0):
    """A scene with up to `count` devices, all of different kinds (fewer when there is no room).

    Returns (RGB image, devices from left to right).
    """
    width, height = size
    image = paint_background(rng, width, height).convert("RGBA")
    devices, boxes = [], []
    for kind in rng.permutation(len(KINDS))[:count]:
        faulty = bool(rng.random() < 0.5)
        for _ in range(12):
            painted = paint_device(rng, int(kind), faulty, width, height)
            if painted is not None and not overlaps(painted[1], boxes):
                image.alpha_composite(painted[0])
                boxes.append(painted[1])
                x1, y1, x2, y2 = painted[1]
                box = (round(x1 / width * 1000), round(y1 / height * 1000), round(x2 / width * 1000), round(y2 / height * 1000))
                devices.append(Device(int(kind), faulty, box))
                break
    pixels = np.asarray(image.convert("RGB").filter(ImageFilter.GaussianBlur(rng.uniform(0, 0.5))), np.float32)
    pixels = pixels + rng.normal(0, noise, pixels.shape)
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    return image, sorted(devices, key=lambda device: device.box[0])


def random_scene(rng, counts=(0.12, 0.33, 0.32, 0.23), noise=3.0):
    """A scene of random size; counts: probability of 0, 1, 2, … devices."""
    size = SIZES[int(rng.integers(len(SIZES)))]
    return render(rng, size, int(rng.choice(len(counts), p=counts)), noise)


def contact_sheet(path, columns=6, rows=4, seed=0):
    """Writes a picture of many scenes with their boxes, to look at."""
    rng = np.random.default_rng(seed)
    sheet = Image.new("RGB", (columns * 164, rows * 132), "white")
    for i in range(columns * rows):
        image, devices = random_scene(rng)
        draw = ImageDraw.Draw(image)
        for device in devices:
            x1, y1, x2, y2 = (v / 1000 * image.size[j % 2] for j, v in enumerate(device.box))
            draw.rectangle([x1, y1, x2 - 1, y2 - 1], outline=(255, 40, 160) if device.faulty else (40, 120, 255))
        sheet.paste(image, ((i % columns) * 164, (i // columns) * 132))
    sheet.save(path)


if __name__ == "__main__":
    import sys

    contact_sheet(sys.argv[1])
