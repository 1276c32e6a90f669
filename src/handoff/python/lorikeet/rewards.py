"""The page's built-in rewards, term by term, as TRL's reward functions."""

from .answers import iou, parse_answer
from .reward_answers import read_pair, strip

MATCH_IOU, HALLUCINATION, SILENCE, OMISSION, FALSE_ALARM, PRECISION_SHARE = 0.5, 0.35, 0.2, 1.0, 0.5, 0.4
FOUR = ("format", "bbox", "category", "completeness")
GATED_WEIGHTS = (0.2, 3.0, 2.0, 2.0)


def mean(values):
    """Added one after the other as the page adds; 0 of none."""
    total = 0.0
    for value in values:
        total += value
    return total / len(values) if values else 0.0


def clamp(value, low, high):
    return min(max(value, low), high)


def same_category(a, b):
    """One name contains the other; an empty name agrees with nothing."""
    return a != "" and b != "" and (a in b or b in a)


def best_of(box, candidates):
    """The highest overlap with a box and the first candidate that has it; 0 and None without any."""
    best = (0.0, None)
    for candidate in candidates:
        overlap = iou(candidate.box, box)
        if overlap > best[0]:
            best = (overlap, candidate)
    return best


def matched(truths, given):
    """Greedy, one to one, by overlap (a little more for the right category), of pairs with at least MATCH_IOU."""
    pairs = [(iou(thing.box, truth.box), t, g) for t, truth in enumerate(truths) for g, thing in enumerate(given)]
    pairs = [pair for pair in pairs if pair[0] >= MATCH_IOU]
    pairs.sort(key=lambda pair: -(pair[0] + (0.01 if same_category(truths[pair[1]].category, given[pair[2]].category) else 0)))
    used_truths, used_given, chosen = set(), set(), []
    for overlap, t, g in pairs:
        if t not in used_truths and g not in used_given:
            used_truths.add(t)
            used_given.add(g)
            chosen.append((truths[t], given[g], overlap))
    return chosen


def four_terms(expected, given):
    truths, things = expected.things, given.things
    if not truths:
        return [1.0, 1.0, 1.0] if not things else [-0.3, -0.3, 0.5]
    if not things:
        return [-1.0, -1.0, -1.0]
    best = [best_of(truth.box, things) for truth in truths]
    right = [thing is not None and same_category(thing.category, truths[i].category) for i, (_, thing) in enumerate(best)]
    return [2 * mean([overlap for overlap, _ in best]) - 1, 2 * mean(right) - 1, 2 * min(len(things) / len(truths), 1) - 1]


def valid_format(expected, given):
    listed = bool(given.things) and given.numbered and given.has_status
    return listed or (not expected.things and not given.things and given.says_none)


def original(truth, completion, size, _categories):
    expected, given = read_pair(truth, completion, False, size)
    form = 1.0 if given.things or "检测到" in completion else -1.0 if strip(completion) == "" else 0.3
    return [form, *four_terms(expected, given)]


def trl_legacy(truth, completion, size, _categories):
    expected, given = read_pair(truth, completion, False, size)
    truths, things = expected.things, given.things
    if things:
        form = (0.5, 0.7, 1.0)[given.numbered + given.has_status]
    else:
        form = 0.0 if strip(completion) == "" else 0.1
    if not truths:
        return [form, *([1.0, 1.0, 1.0] if not things else [0.3, 0.5, 0.5])]
    named = mean([any(same_category(thing.category, truth.category) for thing in things) for truth in truths])
    status = float(any(thing.anomalous for thing in truths) == any(thing.anomalous for thing in things))
    return [form, mean([best_of(truth.box, things)[0] for truth in truths]), named, status]


def gated(truth, completion, size, _categories):
    expected, given = read_pair(truth, completion, True, size)
    return [1.0, *four_terms(expected, given)] if valid_format(expected, given) else [0.0] * 4


def risk_aware(truth, completion, size, _categories):
    expected, given = read_pair(truth, completion, True, size)
    terms = _with_objects(expected, given) if expected.things else _nothing_to_find(given)
    return [float(valid_format(expected, given)), *terms]


def _nothing_to_find(given):
    invented = min(1, HALLUCINATION * len(given.things))
    alarms = sum(thing.anomalous for thing in given.things)
    silent = not given.things
    return [1 - (0 if given.says_none else SILENCE) if silent else 0.0, float(silent), 0 - invented, 1 - invented, 0 - min(1, FALSE_ALARM * alarms)]


def _with_objects(expected, given):
    truths, things = expected.things, given.things
    pairs = matched(truths, things)
    right = sum(same_category(truth.category, thing.category) for truth, thing, _ in pairs)
    denies = given.says_none and not things
    missed = (len(truths) - len(pairs)) / len(truths)
    invented = min(1, HALLUCINATION * (len(things) - len(pairs)))
    return [
        2 * right / (len(truths) + len(things)),
        clamp((mean([overlap for _, _, overlap in pairs]) - MATCH_IOU) / (1 - MATCH_IOU), 0, 1) if pairs else 0.0,
        -1.0 if denies else clamp(1 - abs(len(things) - len(truths)) / len(truths), -1, 1),
        -1.0 if denies else clamp(1 - OMISSION * missed - invented, -1, 1),
        _anomalies(any(truth.anomalous for truth in truths), pairs),
    ]


def _anomalies(has_faults, pairs):
    """0.4 · precision + 0.6 · recall of reported faults, over matched pairs."""
    hits = sum(truth.anomalous and thing.anomalous for truth, thing, _ in pairs)
    alarms = sum(not truth.anomalous and thing.anomalous for truth, thing, _ in pairs)
    missed = sum(truth.anomalous and not thing.anomalous for truth, thing, _ in pairs)
    if not has_faults:
        return max(-1.0, 1 - FALSE_ALARM * alarms)
    if not pairs:
        return -1.0
    if hits == 0:
        return 0.0
    return PRECISION_SHARE * hits / (hits + alarms) + (1 - PRECISION_SHARE) * hits / (hits + missed)


def demo(truth, completion, _size, categories):
    expected, given = parse_answer(truth), parse_answer(completion)
    same_form = given.form == expected.form or given.says_none or expected.says_none
    if not (given.flawless and same_form and all(found.category in categories for found in given.objects)):
        return [0.0] * 4
    count = max(len(expected.objects), len(given.objects))
    if count == 0:
        return [1.0] * 4
    sums = [0.0, 0.0, 0.0]
    for found in expected.objects:
        overlap, best = best_of(found.box, given.objects)
        category = best is not None and best.category == found.category
        sums = [sums[0] + overlap, sums[1] + category, sums[2] + (category and best.status == found.status)]
    return [1.0, *(total / count for total in sums)]


SCHEMES = {
    "original": (original, FOUR, (1.0, 2.0, 1.5, 0.5)),
    "trl_legacy": (trl_legacy, ("format", "bbox_iou", "category_match", "status_accuracy"), (1.0, 2.0, 1.0, 1.0)),
    "gated": (gated, FOUR, GATED_WEIGHTS),
    "risk_aware": (
        risk_aware,
        ("format", "set_f1", "localization_quality", "count_alignment", "risk_control", "anomaly_instance_f1"),
        (0.2, 3.0, 2.0, 1.2, 2.5, 2.0),
    ),
    "demo": (demo, FOUR, GATED_WEIGHTS),
}


def reward_functions(config, categories):
    """
    One function for each term of the run's scheme, named as the page's log names them, and their weights.
    Columns that TRL hands over: solution, image_size.
    """
    score, terms, weights = SCHEMES[config["reward_scheme"]]
    pixels = config["box_convention"] == "pixels"

    def term_function(position, name):
        def reward(completions, solution, image_size, **_):
            texts = [completion[0]["content"] for completion in completions]
            rows = zip(texts, solution, image_size)
            return [score(truth, text, size if pixels else None, categories)[position] for text, truth, size in rows]

        reward.__name__ = name
        return reward

    return [term_function(i, name) for i, name in enumerate(terms)], list(config["reward_weights"] or weights)
