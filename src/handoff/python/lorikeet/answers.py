"""Detection answers as the page reads them: text to objects. Coordinates are thousandths of the picture's width and height."""

import json
import math
import re
from dataclasses import dataclass

# What JavaScript's \s and trim() call space; Python's own differ in some signs.
SPACE = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
STRIPPED = "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

NOTHING_FOUND = "未检测到相关设备"
WORD = f"[^{SPACE}]+"
TAGGED_BOX = r"<box>\(([0-9]+),([0-9]+)\),\(([0-9]+),([0-9]+)\)</box>"
BARE_BOX = TAGGED_BOX.replace("([0-9]+)", "[0-9]+")
LINES_ITEM = re.compile(rf"\n([0-9]+)\. ({WORD})\n   状态：({WORD})\n   {TAGGED_BOX}")
LINES_WHOLE = re.compile(rf"\A检测到([0-9]+)个设备：(?:\n[0-9]+\. {WORD}\n   状态：{WORD}\n   {BARE_BOX})+\Z")
INLINE_ITEM = re.compile(rf"\A[{SPACE}]*([0-9]+)\.([^\n]+?)-[ \t]*状态[：:]([^\n]+?)-[ \t]*位置[：:][ \t]*{TAGGED_BOX}[{SPACE}]*\Z")
INLINE_HEADER = re.compile(r"\A检测到([0-9]+)个")
MAX_ITEM_CHARACTERS = 2000
LOOSE_BOX = re.compile(r"\(?\[?([0-9]{1,4}),([0-9]{1,4})\]?\)?,\(?\[?([0-9]{1,4}),([0-9]{1,4})")
JSON_OBJECT = re.compile(r'\{[^{}]{0,400}"bbox(?:_2d)?"[^{}]{0,400}\}')
SPACED_LIST = re.compile(rf"\[[{SPACE}]?([0-9]{{1,4}}),[{SPACE}]([0-9]{{1,4}}),[{SPACE}]([0-9]{{1,4}}),[{SPACE}]([0-9]{{1,4}})[{SPACE}]?\]")
MAX_JSON_CHARACTERS = 200_000


@dataclass
class Found:
    """An object of an answer; `status` is '' where the answer gives none."""

    category: str
    status: str
    box: list


@dataclass
class Answer:
    """What an answer holds; `form` is lines, inline, json or None, `flawless` says whether the whole text is right in its form."""

    objects: list
    form: str | None
    flawless: bool
    says_none: bool


def strip(text):
    """JavaScript's trim()."""
    return text.strip(STRIPPED)


def parse_answer(text):
    """Reads an answer in whatever form it has."""
    if text == NOTHING_FOUND:
        return Answer([], None, True, True)
    return _lines(text) or _inline(text) or _json(text) or _loose(text)


def categories_of(texts):
    """Categories that occur in true answers."""
    return {found.category for text in texts for found in parse_answer(text).objects if found.category}


def iou(a, b):
    """Intersection over union; 0 for boxes that do not overlap or have no area."""
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if shared > 0 and union > 0 else 0.0


def _proper(box):
    return box[0] >= 0 and box[1] >= 0 and box[0] < box[2] <= 1000 and box[1] < box[3] <= 1000


def _listed(items):
    numbered = all(float(item[1]) == i + 1 for i, item in enumerate(items))
    objects = [Found(strip(item[2]), strip(item[3]), [float(side) for side in item.groups()[3:7]]) for item in items]
    return objects, numbered and all(_proper(found.box) for found in objects)


def _lines(text):
    items = list(LINES_ITEM.finditer(text))
    if not items:
        return None
    objects, sound = _listed(items)
    whole = LINES_WHOLE.search(text)
    return Answer(objects, "lines", bool(whole and float(whole[1]) == len(items) and sound), False)


def _inline(text):
    lines = [line for line in text.split("\n") if strip(line)]
    matches = [None if len(line) > MAX_ITEM_CHARACTERS else INLINE_ITEM.search(line) for line in lines]
    items = [match for match in matches if match]
    if not items:
        return None
    objects, sound = _listed(items)
    header = INLINE_HEADER.search(lines[0]) if matches[0] is None else None
    agrees = header is None or float(header[1]) == len(items)
    return Answer(objects, "inline", len(lines) - (header is not None) == len(items) and agrees and sound, False)


def _refuse(word):
    raise ValueError(f"{word} is not JSON")


def _loads(text):
    """JSON as JavaScript reads it: every number is a float, NaN and Infinity are none. Raises ValueError."""
    try:
        return json.loads(text, parse_int=float, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _json(text):
    if len(text) > MAX_JSON_CHARACTERS:
        return None
    body = strip(text)
    if body.startswith("```") and body.endswith("```"):
        body = strip(body[7 if body.startswith("```json") else 3 : -3])
    if not (body.startswith("[") and body.endswith("]")):
        return None
    try:
        entries = _loads(body)
    except ValueError:
        return None
    found = [known for known in map(_object, entries) if known]
    if entries and not found:
        return None
    return Answer(found, "json", len(found) == len(entries) and all(_proper(known.box) for known in found), not entries)


def _finite(value):
    return isinstance(value, float) and math.isfinite(value)


def _object(entry):
    if not isinstance(entry, dict):
        return None
    box = entry.get("bbox_2d") if entry.get("bbox_2d") is not None else entry.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(map(_finite, box)):
        return None
    words = [entry[key] if isinstance(entry.get(key), str) else "" for key in ("label", "category", "status")]
    return Found(words[0] or words[1], words[2], box)


def _loose(text):
    boxes = [Found("", "", [float(side) for side in match.groups()]) for match in LOOSE_BOX.finditer(text)]
    return Answer(boxes or _embedded(text), None, False, False)


def _embedded(text):
    """Objects of JSON inside other text; else lists of four numbers as JSON writes them."""
    if len(text) > MAX_JSON_CHARACTERS:
        return []
    said, objects = text[text.rfind("</think>") + 1 :], []
    for match in JSON_OBJECT.finditer(said):
        try:
            objects.append(_object(_loads(match[0])))
        except ValueError:
            continue
    found = [known for known in objects if known]
    return found or [Found("", "", [float(side) for side in match.groups()]) for match in SPACED_LIST.finditer(said)]
