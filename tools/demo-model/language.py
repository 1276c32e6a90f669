"""What is asked about a scene, and what is answered.

The base model learns many small answer formats (QUESTIONS). The inspection report, which fine-tuning teaches, is never
among them: it is the new skill.
"""
import json

from scenes import KINDS

EMPTY_REPORT = "未检测到相关设备"
REPORT_PROMPTS = (
    "请检测图中的交通设备，给出类别、状态和位置。",
    "检测图片里的路侧设备，并报告每个设备的状态与坐标框。",
    "请对图像进行交通设备巡检，输出检测结果。",
    "识别图中的交通设备及其状态，并用方框标出位置。",
)


def report(items):
    """The inspection report. items: (category, status, box) from left to right."""
    if not items:
        return EMPTY_REPORT
    lines = [f"检测到{len(items)}个设备："]
    for number, (category, status, (x1, y1, x2, y2)) in enumerate(items, 1):
        lines += [f"{number}. {category}", f"   状态：{status}", f"   <box>({x1},{y1}),({x2},{y2})</box>"]
    return "\n".join(lines)


def report_of(devices):
    return report([(device.zh, device.status_zh, device.box) for device in devices])


def corners(box):
    return "({},{}),({},{})".format(*box)


def choose(rng, options):
    return options[int(rng.integers(len(options)))]


def absent_kinds(devices):
    present = {device.kind for device in devices}
    return [kind for index, kind in enumerate(KINDS) if index not in present]


def locate_zh(rng, devices):
    templates = ("{}在哪里？", "给出{}的坐标。", "请定位{}。")
    if not devices or rng.random() < 0.1:
        return choose(rng, templates).format(choose(rng, absent_kinds(devices)).zh), "图中没有。"
    device = choose(rng, devices)
    return choose(rng, templates).format(device.zh), corners(device.box)


def locate_en(rng, devices):
    templates = ("Where is the {}?", "Box of the {}?")
    if not devices:
        return choose(rng, templates).format(choose(rng, KINDS).en), "Not there."
    device = choose(rng, devices)
    return choose(rng, templates).format(device.en), json.dumps(list(device.box), separators=(",", ":"))


def as_json(rng, devices):
    rows = [{"bbox_2d": list(device.box), "label": device.en, "status": device.status_en} for device in devices]
    return choose(rng, ("List the devices as JSON.", "Detection result as JSON, please.")), json.dumps(rows, separators=(",", ":"))


def one_line(rng, devices):
    question = choose(rng, ("逐个写出设备、状态和坐标。", "用一行列出全部设备。"))
    return question, "；".join(f"{d.zh}，{d.status_zh}，{corners(d.box)}" for d in devices) + "。" if devices else "没有设备。"


def grounding_tokens(rng, devices):
    marked = "".join(f"<|object_ref_start|>{d.zh}<|object_ref_end|><|box_start|>{corners(d.box)}<|box_end|>" for d in devices)
    return choose(rng, ("用框标注设备。", "标注全部设备。")), marked or "没有可标注的设备。"


def caption_zh(rng, devices):
    names = "、".join(f"{d.zh}（{d.status_zh}）" for d in devices)
    return choose(rng, ("描述这张图。", "图中有什么设备？")), f"图中有{names}。" if devices else "道路上没有设备。"


def caption_en(rng, devices):
    names = " and ".join(f"a {d.en} ({d.status_en})" for d in devices)
    return choose(rng, ("Describe the image.", "What can be seen?")), f"There is {names}." if devices else "An empty road."


def bullets(rng, devices):
    return choose(rng, ("用列表说明设备状态。", "列清单。")), "\n".join(f"- {d.zh}：{d.status_zh}" for d in devices) or "清单为空。"


def numbered(rng, devices):
    return choose(rng, ("给设备编号。", "按编号说明设备。")), "\n".join(f"{i}. {d.zh}（{d.status_zh}）" for i, d in enumerate(devices, 1)) or "没有编号。"


def state(rng, devices):
    if not devices:
        return f"{choose(rng, KINDS).zh}正常吗？", "图中没有。"
    device = choose(rng, devices)
    return choose(rng, ("{}正常吗？", "{}的状态？")).format(device.zh), f"状态：{device.status_zh}"


def what_is_there(rng, devices):
    if not devices:
        return "左边是什么设备？", "没有设备。"
    device = choose(rng, devices)
    return choose(rng, ("{}处是什么？", "{}里的设备？")).format(corners(device.box)), f"{device.zh}，{device.status_zh}"


def presence(rng, devices):
    kind = choose(rng, KINDS) if not devices or rng.random() < 0.5 else KINDS[choose(rng, devices).kind]
    return f"图中有{kind.zh}吗？", "没有" if kind in absent_kinds(devices) else "有"


def counting(rng, devices):
    if rng.random() < 0.5:
        return "一共几个设备？", f"{len(devices)}个"
    return "几个设备有故障？", f"{sum(device.faulty for device in devices)}个"


def fields(rng, devices):
    """Indented fields, a cousin of the report's layout, so that its tokens are not strangers."""
    rows = "\n".join(f"名称：{d.zh}\n   坐标：{corners(d.box)}" for d in devices)
    return choose(rng, ("分行写出名称和坐标。", "按字段输出设备。")), rows or "没有字段。"


# (question family, share of the mixture)
QUESTIONS = (
    (locate_zh, 0.22), (locate_en, 0.08), (as_json, 0.12), (one_line, 0.10), (grounding_tokens, 0.08), (caption_zh, 0.05),
    (caption_en, 0.03), (bullets, 0.05), (numbered, 0.05), (state, 0.06), (what_is_there, 0.05), (presence, 0.03),
    (counting, 0.04), (fields, 0.04),
)


def ask(rng, devices):
    """One random (question, answer) about the scene."""
    shares = [share for _, share in QUESTIONS]
    family = QUESTIONS[int(rng.choice(len(QUESTIONS), p=shares))][0]
    return family(rng, devices)
