"""Answers as the page's rewards see them: objects, and which parts of the form are there."""

import re
from dataclasses import dataclass

from .answers import SPACE, parse_answer, strip

FAULT_WORDS = ("异常", "全灭", "损坏", "故障", "破损", "不亮", "错误", "黑屏", "全亮")
NORMAL = "正常"
NOTHING_PHRASES = ("未检测到相关设备", "未检测到设备", "未检测到目标", "没有检测到", "no relevant equipment", "no equipment detected")

ITEM_START = re.compile(rf"(?<![0-9])(?=[0-9]{{1,6}}\.[{SPACE}])")
ITEM = re.compile(rf"\A[0-9]{{1,6}}\.[{SPACE}]+([^\n]+)")
INLINE_STATUS = re.compile(r"[ \t]-[ \t]*状态[：:]")
STATUS = re.compile(rf"状态[：:][{SPACE}]*([^\n]+)")
DASH = re.compile(r"[ \t]-[ \t]")
WHOLE_BOX = re.compile(r"<box>\(([0-9]{1,9}),([0-9]{1,9})\),\(([0-9]{1,9}),([0-9]{1,9})\)</box>")
GAP = f"[{SPACE}]{{0,9}}"
DECIMAL = rf"{GAP}(-?[0-9]{{1,9}}(?:\.[0-9]{{1,9}})?){GAP}"
DECIMAL_BOX = re.compile(rf"<box>{GAP}\({DECIMAL},{DECIMAL}\){GAP},{GAP}\({DECIMAL},{DECIMAL}\){GAP}</box>")
POINTS = re.compile(r"\(([0-9]{1,6}), ?([0-9]{1,6})\), ?\(([0-9]{1,6}), ?([0-9]{1,6})\)")
REFERENCE = re.compile(r"<\|object_ref_start\|>([^<]{1,200})<\|object_ref_end\|>")
TAG = re.compile(r"<[^<>]{0,200}>")
MAX_WORDS_BEFORE = 200


@dataclass
class Thing:
    """An object; `anomalous` where its status names a fault; the box in thousandths."""

    category: str
    status: str
    anomalous: bool
    box: list


@dataclass
class Reading:
    """What a reader finds; numbers and status count as there in forms that have none."""

    things: list
    numbered: bool = True
    has_status: bool = True
    says_none: bool = False


def read_pair(truth, completion, signed_decimals, size=None):
    """
    Truth and completion by the same reader: the first of numbered list, JSON and bare points that finds objects in the
    truth; for a truth without objects the completion decides.
    size: width and height in pixels where boxes count pixels.
    """
    readers = [lambda text: _numbered(text, signed_decimals), _json, _points]

    def first(text):
        return next((reader for reader in readers if reader(text).things), None)

    reader = first(truth) or first(completion) or readers[0]

    def read(text):
        reading = reader(text)
        if size is not None:
            for thing in reading.things:
                thing.box = [side * 1000 / size[i % 2] for i, side in enumerate(thing.box)]
        reading.says_none = any(phrase in text.lower() for phrase in NOTHING_PHRASES) or parse_answer(text).says_none
        return reading

    return read(truth), read(completion)


def _faulty(words):
    return any(word in words for word in FAULT_WORDS)


def _sides(match):
    return [float(side) for side in match.groups()[:4]]


def _numbered(text, signed_decimals):
    pattern = DECIMAL_BOX if signed_decimals else WHOLE_BOX
    items = ITEM_START.split(text)
    listed = [thing for thing in (_item(item, pattern) for item in items) if thing]
    alone = [Thing("unknown", NORMAL, False, _sides(match)) for match in pattern.finditer(text)]
    return Reading(listed or alone, any(ITEM.search(item) for item in items), bool(STATUS.search(text)))


def _item(item, pattern):
    head = ITEM.search(item)
    box = pattern.search(item) if head else None
    if not box:
        return None
    given = STATUS.search(item)
    status = strip(DASH.split(given[1])[0]) if given else NORMAL
    return Thing(strip(INLINE_STATUS.split(head[1])[0]), status, _faulty(status), _sides(box))


def _json(text):
    answer = parse_answer(text[max(0, text.find("[")) : text.rfind("]") + 1])
    objects = answer.objects if answer.form == "json" else []
    return Reading([Thing(found.category, found.status, _faulty(found.status), list(found.box)) for found in objects])


def _points(text):
    things, start = [], 0
    for match in POINTS.finditer(text):
        before = text[max(start, match.start() - MAX_WORDS_BEFORE) : match.start()]
        start = match.end()
        tag = REFERENCE.search(before)
        words = tag[1] if tag else re.split(r"[\n；;。]", TAG.sub("", before))[-1]
        parts = [part for part in map(strip, re.split(r"[，,：:]", words)) if part]
        category, status = [*parts, *["", NORMAL][len(parts) :]][:2]
        things.append(Thing(category, status, _faulty(words), _sides(match)))
    return Reading(things)
