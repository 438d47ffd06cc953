"""Draws docs/images/architecture.svg: the packages, and the way of a trigger and of a frame through the services.

Run it as ``python tests/tools/architecture.py [FILE]``.
"""

import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

OUT = Path(__file__).parents[2] / "docs" / "images" / "architecture.svg"
WIDTH, HEIGHT = 1200, 960
BOX, TALL = 224, 96
"""Width and height of a step, in pixels."""
COLUMNS = {"splitter": 17, "dispatcher": 331, "scorer": 645, "stitcher": 959}
ROWS = (96, 256, 416, 576)
TRIGGER, FRAME, LEARN, INK, QUIET, LINE = "#0b5cad", "#b4460f", "#1a7f37", "#1f2328", "#59636e", "#9aa4af"
MARKERS = {TRIGGER: "trigger", FRAME: "frame", LEARN: "learn"}
LAYERS = (
    (("sandbox", "a caller's media in a process of its own"),),
    (("service", "start, drain, health, settings, logs"),),
    (
        ("runs", "names of blobs, life cycle, progress, outputs, steps"),
        ("styles", "the library of styles, learning jobs"),
    ),
    (
        ("media", "colours, images, packs"),
        ("messaging", "receive, lock, settle"),
        ("pictures", "style"),
        ("storage", "blobs"),
    ),
    (
        ("steps", "the steps of a message"),
        ("tracing", "spans, and who sent what"),
        ("environment", "settings from variables"),
        ("units", "figures as text"),
    ),
    (("contracts", "messages, manifest, status, report, the flow through the queues"),),
    (("errors", "the kinds of faults"),),
)


@dataclass(frozen=True)
class Step:
    """What one service does with the messages of one queue."""

    column: str
    row: int
    title: str
    modules: str
    writes: str
    color: str = FRAME


STEPS = (
    Step("splitter", 0, "1  plan the run", "planner → tasks → plan, outputs", "manifest, status", TRIGGER),
    Step("splitter", 1, "2  decode a segment", "segments → tasks → packing", "packs, timelines"),
    Step("dispatcher", 1, "3  hand out batches", "handler → batching", "nothing"),
    Step("scorer", 0, "learner: learn a style", "learning → training → networks", "style, card, preview", LEARN),
    Step("scorer", 1, "4  score a batch", "pipeline → models → networks", "styled packs"),
    Step("dispatcher", 2, "5  chunk complete?", "handler → framebrush.runs", "nothing"),
    Step("stitcher", 2, "6  encode the chunk", "handler → frames → encode", "encoded chunk"),
    Step("dispatcher", 3, "7  run complete?", "handler → framebrush.runs", "nothing"),
    Step("stitcher", 3, "8  join the chunks", "handler → tasks → join", "output, report, status"),
)
QUEUES = (
    ("triggers", 129, 50, "M129,58 V92", TRIGGER),
    ("splits", 129, 224, "M129,192 V252", TRIGGER),
    ("frames", 286, 294, "M241,304 H327", FRAME),
    ("batches", 600, 294, "M555,304 H641", FRAME),
    ("events", 600, 390, "M757,352 V384 H443 V412", FRAME),
    ("scored", 757, 454, "M555,464 H955", FRAME),
    ("events", 757, 550, "M1071,512 V544 H443 V572", FRAME),
    ("scored", 757, 614, "M555,624 H955", FRAME),
    ("learnings", 757, 71, "M835,96 V66 H679 V92", LEARN),
)


def text(x: float, y: float, words: str, size: int, color: str, more: str = "") -> str:
    """Return a line of text, whose baseline is at ``y``."""
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{color}" {more}>{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, line: str, fill: str = "#ffffff") -> str:
    """Return a rectangle with round corners."""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="6" fill="{fill}" stroke="{line}"/>'


def draw_step(step: Step) -> list[str]:
    """Return a step: its title, the modules on its way, and what it writes."""
    x, y = COLUMNS[step.column], ROWS[step.row]
    return [
        box(x, y, BOX, TALL, step.color),
        text(x + 14, y + 28, step.title, 15, step.color, 'font-weight="bold"'),
        text(x + 14, y + 54, step.modules, 12, INK),
        text(x + 14, y + 78, f"writes {step.writes}", 12, QUIET),
    ]


def draw_queue(name: str, x: float, y: float, path: str, color: str) -> list[str]:
    """Return a queue: an arrow with its name."""
    marker = MARKERS[color]
    width = 10 + 7.2 * len(name)
    return [
        f'<path d="{path}" fill="none" stroke="{color}" stroke-width="2" marker-end="url(#{marker})"/>',
        box(x - width / 2, y - 14, width, 19, "none"),
        text(x, y, name, 13, color, 'text-anchor="middle" font-weight="bold"'),
    ]


def draw_layers(top: float) -> list[str]:
    """Return the packages of services/common; each imports only from those below it."""
    parts, height = [text(20, top - 12, "services/common: each package imports only from those below", 14, INK)], 26
    for row, packages in enumerate(LAYERS):
        width = (WIDTH - 40 - 10 * (len(packages) - 1)) / len(packages)
        for place, (name, holds) in enumerate(packages):
            x, y = 20 + place * (width + 10), top + row * (height + 4)
            parts += [
                box(x, y, width, height, LINE, "#f6f8fa"),
                f'<text x="{x + 14:g}" y="{y + 18:g}" font-size="13" fill="{INK}">'
                f'<tspan font-weight="bold">{name}</tspan>'
                f'<tspan dx="10" fill="{QUIET}">{escape(holds)}</tspan></text>',
            ]
    return parts


def draw() -> str:
    """Return the picture as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif">',
        "<defs>",
        *(
            f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
            f'<path d="M0,0 L8,4 L0,8 Z" fill="{color}"/></marker>'
            for color, name in MARKERS.items()
        ),
        "</defs>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for name, x in COLUMNS.items():
        parts.append(box(x - 8, 8, BOX + 16, 676, "#d8dee4", "#fbfcfd"))
        parts.append(text(x + BOX / 2, 30, name, 18, INK, 'text-anchor="middle" font-weight="bold"'))
    parts += [line for queue in QUEUES for line in draw_queue(*queue)]
    parts += [line for step in STEPS for line in draw_step(step)]
    parts.append(text(345, 118, "the way of a trigger", 14, TRIGGER, 'font-weight="bold"'))
    parts.append(text(345, 140, "the way of a frame", 14, FRAME, 'font-weight="bold"'))
    parts.append(text(345, 162, "Each arrow is a queue.", 12, QUIET))
    parts.append(text(345, 180, "tasks: in the sandbox", 12, QUIET))
    parts += draw_layers(730)
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    (Path(sys.argv[1]) if len(sys.argv) > 1 else OUT).write_text(draw(), encoding="utf-8")
