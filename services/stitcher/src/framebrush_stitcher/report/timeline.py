"""The timeline of a run: when messages waited, pods started, and pods had work (a Gantt chart)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from framebrush.units import duration
from framebrush_stitcher.report.charts import LEFT, RIGHT, WIDTH, across, bars
from framebrush_stitcher.report.figures import WORK, Figures

NAMES = {"planned": "planned", "split": "decoded", "scored": "painted", "encoded": "encoded", "joined": "joined"}
"""What a stage does with a frame, in a word for a person."""
LANE, MOST_LANES = 16, 40
"""The height of a row, in units of the drawing, and the most rows."""

Spans = list[tuple[float, float]]
"""Beginnings and ends in seconds since the run's start."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: the queue of a stage, or one of its pods."""

    stage: str
    kind: Literal["queue", "pod"]
    title: str
    spans: Spans
    """When there were messages, or work."""
    start: Spans
    """From the start of the pod to its first message, if it was started during the run."""
    again: list[tuple[float, int]]
    """When work began that had been tried before, and which attempt it was."""


def rows(figures: Figures) -> Iterator[Row]:
    """Yield the rows in the order of the stages: the queue of a stage, then its pods."""
    for stage in WORK:
        if waiting := figures.waiting(stage):
            total = duration(sum(end - begin for begin, end in waiting))
            yield Row(stage, "queue", f"{NAMES[stage]}: messages lay in the queue for {total}", waiting, [], [])
        spans, starts = figures.spans(stage), figures.starts(stage)
        for pod in dict.fromkeys(pod for pod, _, _ in spans):
            own = [(begin, end) for each, begin, end in spans if each == pod]
            again = [(figures.at(task.started), task.attempt) for task in figures.again(stage) if task.pod == pod]
            title = f"{NAMES[stage]}{f' by {pod}' if pod else ''}: {duration(sum(end - begin for begin, end in own))}"
            if pod in starts:
                begin, first = starts[pod]
                title += f", up at {duration(begin)}, first message {duration(first - begin)} later"
            yield Row(stage, "pod", title, own, [starts[pod]] if pod in starts else [], again)


def gantt(figures: Figures) -> dict[str, Any]:
    """Return the chart as the template draws it."""
    x, found = across(figures.seconds), list(rows(figures))
    shown = found[:MOST_LANES]
    firsts = {row.stage: number for number, row in reversed(list(enumerate(shown)))}
    lanes = [
        {
            "stage": row.stage, "kind": row.kind, "title": row.title, "bars": bars(row.spans, x),
            "start": bars(row.start, x), "again": sorted({round(x(at)): attempt for at, attempt in row.again}.items()),
            "label": NAMES[row.stage] if firsts[row.stage] == number else "",
        }
        for number, row in enumerate(shown)
    ]  # fmt: skip
    return {
        "x": x, "lanes": lanes, "lane": LANE, "height": len(lanes) * LANE + 30, "hidden": len(found) - len(shown),
        "width": WIDTH, "left": LEFT, "right": WIDTH - RIGHT,
        "has": {
            "queue": any(row.kind == "queue" for row in shown),
            "start": any(row.start for row in shown),
            "again": any(row.again for row in shown),
        },
    }  # fmt: skip
