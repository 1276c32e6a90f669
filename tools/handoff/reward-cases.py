#!/usr/bin/env python3
"""
What the bundle's rewards, in Python, give for answers of every form, written where a test holds the page's own against them:

    python3 tools/handoff/reward-cases.py

To be run again whenever lorikeet/rewards.py or what it imports changes; the test compares their sums.
"""

import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "src" / "handoff" / "python"
OUT = ROOT / "tests" / "fixtures" / "handoff" / "rewards.json"
MODULES = ("answers", "reward_answers", "rewards")
sys.path.insert(0, str(PYTHON))
sys.dont_write_bytecode = True

from lorikeet.answers import categories_of  # noqa: E402
from lorikeet.rewards import SCHEMES  # noqa: E402

LAMP, BOX, SIGN = ("路灯", "不亮", (38, 281, 188, 680)), ("机箱", "正常", (477, 297, 688, 594)), ("交通标志", "破损", (820, 562, 984, 867))
NONE = "未检测到相关设备"


def lines(*objects, count=None, first=1):
    items = [f"\n{i}. {name}\n   状态：{status}\n   <box>({b[0]},{b[1]}),({b[2]},{b[3]})</box>" for i, (name, status, b) in enumerate(objects, first)]
    return f"检测到{len(objects) if count is None else count}个设备：" + "".join(items)


def inline(*objects, head=""):
    items = [f"{i}. {name} - 状态：{status} - 位置：<box>({b[0]},{b[1]}),({b[2]},{b[3]})</box>" for i, (name, status, b) in enumerate(objects, 1)]
    return "\n".join([head, *items] if head else items)


def qwen(*objects, key="bbox_2d", more=""):
    return "[" + ", ".join(json.dumps({key: list(b), "label": name, "status": status}, ensure_ascii=False) for name, status, b in objects) + more + "]"


def points(*objects):
    return "\n".join(f"<|object_ref_start|>{name}<|object_ref_end|>({b[0]},{b[1]}),({b[2]},{b[3]})" for name, _, b in objects)


def moved(thing, by):
    name, status, box = thing
    return name, status, tuple(side + by for side in box)


def renamed(thing, name=None, status=None):
    return name or thing[0], status or thing[1], thing[2]


TRUTHS = [lines(LAMP), lines(LAMP, BOX, SIGN), inline(BOX, SIGN), qwen(LAMP, SIGN), points(LAMP, BOX), NONE, "[]", "There is a lamp.", "", "lamp at (10,20),(30,40)"]
ANSWERS = [
    lines(LAMP),
    lines(LAMP, BOX, SIGN),
    lines(SIGN, LAMP, BOX),
    lines(moved(LAMP, 17), moved(BOX, -23)),
    lines(moved(LAMP, 60)),
    lines(renamed(LAMP, name="路灯杆"), renamed(BOX, status="故障")),
    lines(LAMP, LAMP, moved(LAMP, 5)),
    lines(LAMP, count=2),
    lines(LAMP, first=2),
    lines(renamed(LAMP, name="飞碟")),
    lines(("路灯", "不亮", (38, 281, 1188, 680))),
    lines(("路灯", "不亮", (188, 281, 38, 680))),
    inline(BOX, SIGN),
    inline(moved(BOX, 9), renamed(SIGN, status="正常"), head="检测到2个设备："),
    inline(BOX, head="检测到3个"),
    qwen(LAMP, SIGN),
    qwen(moved(SIGN, 12), key="bbox"),
    "```json\n" + qwen(LAMP) + "\n```",
    "Sure: " + qwen(LAMP, BOX),
    qwen(LAMP, more=", 7"),
    '[{"bbox_2d": [1, 2, 3], "label": "x"}]',
    '[{"bbox_2d": [NaN, 2, 3, 4], "label": "x"}]',
    '[{"bbox_2d": [1e999, 2, 3, 4], "label": "x"}, {"bbox_2d": [true, 2, 3, 4]}]',
    '[{"bbox_2d": null, "bbox": [38.5, 281, 188, 680], "label": "", "category": "路灯"}]',
    '<think>perhaps [1, 2, 3, 4]</think>{"a": {"bbox_2d": [38, 281, 188, 680], "label": "路灯"}}',
    "[38, 281, 188, 680] and [477, 297, 688, 594]",
    points(LAMP, SIGN),
    "路灯，不亮：(38,281),(188,680)\n机箱 (477, 297), (688, 594)；标志(820,562),(984,867)",
    "1. 路灯\u3000\n状态:\u00a0不亮\n<box>(38,281),(188,680)</box>",
    "1.\ufeff路灯\n   状态：\n不亮\n<box> ( 38.5 , -2 ) , ( 188 , 680.25 ) </box>",
    "１. 路灯\n状态：不亮\n<box>(３８,281),(188,680)</box>",
    "10. 路灯 - 状态：不亮 - 说明\n<box>(38,281),(188,680)</box> 1000000. x <box>(1,1),(2,2)</box>",
    "<box>(38,281),(188,680)</box><box>(477,297),(688,594)</box>",
    lines(LAMP) + "\n",
    lines(LAMP) + "\u2028",
    NONE,
    NONE + "。",
    "No relevant EQUIPMENT here.",
    "[]",
    "检测到",
    " \u3000\n",
    "",
    "A lamp, I think.",
    "9" * 5000 + ". x",
    f"检测到1个设备：\n1. 路灯\n   状态：不亮\n   <box>({'9' * 400},281),(188,680)</box>",
]


def main():
    categories = sorted(categories_of(TRUTHS))
    pairs = [(truth, answer, None) for truth in TRUTHS[:9] for answer in ANSWERS]
    pairs += [(truth, answer, [640, 480]) for truth in (TRUTHS[1], TRUTHS[3], TRUTHS[9]) for answer in ANSWERS[:30:4]]
    texts = sorted({text for truth, answer, _ in pairs for text in (truth, answer)})
    cases = []
    for truth, answer, size in pairs:
        terms = {name: score(truth, answer, size, set(categories)) for name, (score, _, _) in SCHEMES.items()}
        cases.append([texts.index(truth), texts.index(answer), size, terms])
    known = {
        "sha256": {name: hashlib.sha256((PYTHON / "lorikeet" / f"{name}.py").read_bytes()).hexdigest() for name in MODULES},
        "schemes": {name: {"terms": terms, "weights": weights} for name, (_, terms, weights) in SCHEMES.items()},
        "categories": categories,
        "texts": texts,
    }
    rows = ",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":")) for case in cases)
    head = json.dumps(known, ensure_ascii=False, indent=1)
    OUT.write_text(f'{head[:-2]},\n "cases": [\n{rows}\n]}}\n', encoding="utf-8")
    print(f"{len(cases)} cases: {OUT}")


if __name__ == "__main__":
    main()
