"""Renders the page. It needs no network, and everything in it is escaped by the template engine.

The charts are SVG drawn by the template: they take the colours of the page, dark or light, print sharply, and cost the
image of the stitcher nothing. A plotting library would bring 60 MB, or a megabyte of script in each page.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from framebrush.contracts import Options
from framebrush.units import duration, money, size
from framebrush_stitcher.report.costs import Prices, estimate
from framebrush_stitcher.report.drawings import flicker, per_frame, throughput
from framebrush_stitcher.report.figures import STAGES, WORK, Figures, seconds_per_frame
from framebrush_stitcher.report.seen import Samples
from framebrush_stitcher.report.styles import ShownStyle
from framebrush_stitcher.report.timeline import NAMES, gantt
from framebrush_stitcher.report.waits import queue_of, waits_of


def render(
    figures: Figures, styles: Sequence[ShownStyle], samples: Sequence[Samples | None], prices: Prices, currency: str
) -> bytes:
    """Return the page of a run as HTML in UTF-8.

    Args:
        figures: The figures of the run.
        styles: What is known of the style of each output, in the order of the outputs.
        samples: What was seen of each output, in the same order; None where nothing was.
        prices: The price table.
        currency: The name of its currency.
    """
    report, cost = figures.report, estimate(figures, prices)
    outputs = [report.output, *report.more_outputs]
    names = {_last(output.name) for output in outputs}
    shown: list[dict[str, Any]] = [
        {"number": n, "model": style.model, "style": style, "output": ref, "link": _last(ref.name), "samples": seen}
        for n, (style, ref, seen) in enumerate(zip(styles, outputs, samples, strict=True))
    ]
    template = _environment().get_template("page.html.j2")
    content: str = template.render(
        report=report,
        figures=figures,
        input_link=None if _last(report.input.name) in names else _last(report.input.name),
        options=_changed(report.options),
        verdict=_verdict(figures),
        shown=shown,
        cost=cost,
        prices=prices,
        currency=currency,
        names=NAMES,
        stages=_stages(figures),
        waits=waits_of(figures),
        gantt=gantt(figures),
        throughput=throughput(figures),
        per_frame=per_frame(figures),
        slowest=[(task, seconds_per_frame(task)) for task in figures.slowest()],
        flickers=[
            {"model": each["model"], "number": each["number"]} | flicker(report.duration, each["samples"])
            for each in shown
            if each["samples"] and each["samples"].flicker
        ],
        frame_at=_frame_at(figures),
        data=json.dumps(data(figures, prices, samples)).replace("<", "\\u003c"),
    )
    return content.encode()


@lru_cache(maxsize=1)
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("framebrush_stitcher.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "size": size, "number": "{:,}".format, "money": money}
    return environment


def data(figures: Figures, prices: Prices, samples: Sequence[Samples | None]) -> dict[str, Any]:
    """Return the figures of a page for programs, as they stand in it as JSON."""
    cost = estimate(figures, prices)
    return {
        "run_id": figures.report.run_id,
        "frames": figures.report.frames,
        "failed_frames": len(figures.report.failed_frames),
        "seconds": round(figures.seconds, 3),
        "sizes": dict(figures.sizes),
        "bytes": {stage: figures.bytes_of(stage) for stage in STAGES},
        "pod_seconds": {stage: round(figures.pod_seconds(stage), 3) for stage in WORK},
        "throughput": {stage: [round(rate, 4) for rate in figures.throughput(stage)] for stage in STAGES},
        "waits": {wait.name: [wait.middle, wait.longest] for wait in waits_of(figures)},
        "queues": {stage: asdict(queue) for stage in WORK if (queue := queue_of(figures, stage))},
        "starts": {stage: figures.starts(stage) for stage in WORK},
        "writes": figures.writes,
        "messages": figures.messages,
        "cost": {"gpu": cost.gpu, "cpu": cost.cpu, "storage": cost.storage, "bus": cost.bus, "total": cost.total},
        "flicker": [[step.model_dump() for step in seen.flicker] if seen else [] for seen in samples],
    }


def _changed(options: Options) -> dict[str, Any]:
    """Return the options that a person chose, without the models and what they paint like."""
    plain = Options().model_dump(mode="json")
    chosen = options.model_dump(mode="json")
    hidden = ("model", "more_models", "style_images")
    return {name: value for name, value in chosen.items() if value != plain.get(name) and name not in hidden}


def _verdict(figures: Figures) -> str:
    report = figures.report
    failed, wrong = len({frame.index for frame in report.failed_frames}), sum(not c.ok for c in report.checks)
    frames = f"{report.frames:,} frame{'s' * (report.frames != 1)}"
    painted = f"All {frames} are painted" if not failed else f"{failed:,} of {frames} could not be painted"
    total = len(report.checks)
    kept = (
        f"all {total} checks of the output agree with the input"
        if not wrong
        else f"{wrong} of {total} checks differ{'s' if wrong == 1 else ''}"
    )
    return f"{painted}, and {kept}."


def _frame_at(figures: Figures) -> dict[int, int]:
    """Return the number of the first frame of each segment in the whole film."""
    counts = dict[int, int]()
    for task in figures.of("split"):
        counts[task.segment] = counts.get(task.segment, 0) + task.frames
    firsts, total = dict[int, int](), 0
    for segment in sorted(counts):
        firsts[segment], total = total, total + counts[segment]
    return firsts


def _stages(figures: Figures) -> list[dict[str, Any]]:
    """Return a row for each stage: when it worked, for how long, and how its messages came."""
    rows = list[dict[str, Any]]()
    for stage in WORK:
        tasks, spans = figures.of(stage), figures.spans(stage)
        if spans:
            busy = sum((task.ended - task.started).total_seconds() for task in tasks)
            rows.append({
                "stage": stage, "from": min(span[1] for span in spans), "to": max(span[2] for span in spans),
                "work": figures.pod_seconds(stage), "busy": busy or figures.pod_seconds(stage),
                "queue": queue_of(figures, stage),
            })  # fmt: skip
    return rows


def _last(name: str) -> str:
    return PurePosixPath(name).name
