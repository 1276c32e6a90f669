"""Scores inspection reports: the same definitions as in training logs."""
import re

from language import EMPTY_REPORT
from scenes import KINDS

ITEM = re.compile(r"\n(\d+)\. (\S+)\n   状态：(\S+)\n   <box>\((\d+),(\d+)\),\((\d+),(\d+)\)</box>")
REPORT = re.compile(r"检测到(\d+)个设备：(?:\n\d+\. \S+\n   状态：\S+\n   <box>\(\d+,\d+\),\(\d+,\d+\)</box>)+")
NAMES = {kind.zh for kind in KINDS}


def parse(text):
    """(is the report strictly valid?, [(category, status, box)]).

    Strict: exact layout, the count and the numbering agree with the items, known categories, proper boxes in 0..1000.
    """
    if text == EMPTY_REPORT:
        return True, []
    rows = ITEM.findall(text)
    items = [(category, status, tuple(map(int, box))) for _, category, status, *box in rows]
    whole = REPORT.fullmatch(text)
    valid = (
        whole is not None
        and int(whole.group(1)) == len(items)
        and [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
        and all(category in NAMES and x1 < x2 <= 1000 and y1 < y2 <= 1000 for category, _, (x1, y1, x2, y2) in items)
    )
    return valid, items


def iou(a, b):
    """Intersection over union of two boxes, 0 when either is empty."""
    shared = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if shared > 0 and union > 0 else 0.0


def score(answers, truths):
    """format: share of strictly valid reports. For every true device the predicted box with the highest IoU counts:
    iou is its mean, category and status the shares where that prediction names them right."""
    valid, best = [], []
    for answer, truth in zip(answers, truths, strict=True):
        is_valid, predicted = parse(answer)
        valid.append(is_valid)
        for category, status, box in parse(truth)[1]:
            match = max(predicted, key=lambda item: iou(item[2], box), default=None)
            overlap = iou(match[2], box) if match else 0.0
            right = overlap > 0 and match[0] == category
            best.append((overlap, right, right and match[1] == status))
    mean = lambda values: sum(values) / len(values) if values else float("nan")
    return {
        "format": mean(valid), "iou": mean([row[0] for row in best]), "category": mean([row[1] for row in best]), "status": mean([row[2] for row in best]),
    }
