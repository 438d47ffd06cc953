"""Renders the page. It needs no network, and everything in it is escaped by the template engine.

The charts are SVG drawn by the template: they take the colours of the page, dark or light, print sharply, and cost the
image of the stitcher nothing. A plotting library would bring 60 MB, or a megabyte of script in each page.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from framebrush.contracts import Options
from framebrush_stitcher.report.charts import (
    LEFT,
    RIGHT,
    WIDTH,
    across,
    bars,
    histogram,
    path,
    steps,
    up,
)
from framebrush_stitcher.report.figures import BINS, STAGES, Figures, Prices, quantile, seconds_per_frame
from framebrush_stitcher.report.samples import Samples

NAMES = {"split": "decoded", "scored": "painted", "encoded": "encoded", "joined": "joined"}
"""What a stage does with a frame, in a word for a person."""
HEIGHT, LANE, MOST_LANES = 180, 16, 40
"""The height of a chart and of a row of the timeline, and the most rows, in units of the drawing."""


def render(
    figures: Figures, samples: Sequence[Samples | None], created: datetime, prices: Prices, currency: str
) -> bytes:
    """Return the page of a run as HTML in UTF-8.

    Args:
        figures: The figures of the run.
        samples: What was seen of each output, in the order of the outputs; None where nothing was.
        created: When the run was created.
        prices: The price table.
        currency: The name of its currency.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("framebrush_stitcher.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": _duration, "size": _size, "number": "{:,}".format, "money": _money}
    report, cost = figures.report, figures.cost(prices)
    outputs = [report.output, *report.more_outputs]
    models = [report.model, *report.options.more_models]
    shown: list[dict[str, Any]] = [
        {"number": n, "model": model, "output": output, "samples": seen}
        for n, (model, output, seen) in enumerate(zip(models, outputs, samples, strict=True))
    ]
    content = environment.get_template("page.html.j2").render(
        report=report,
        figures=figures,
        created=created,
        options=_changed(report.options),
        verdict=_verdict(figures),
        shown=shown,
        cost=cost,
        prices=prices,
        currency=currency,
        names=NAMES,
        stages=[(stage, report.stages[stage]) for stage in (*STAGES, "joined") if stage in report.stages],
        waits=figures.waits(created),
        gantt=_gantt(figures),
        throughput=_throughput(figures),
        per_frame=_per_frame(figures),
        slowest=[(task, seconds_per_frame(task)) for task in figures.slowest()],
        flickers=[_flicker(report.duration, each) for each in shown if each["samples"] and each["samples"].flicker],
        frame_at=_frame_at(figures),
        data=json.dumps(data(figures, created, prices, samples)).replace("<", "\\u003c"),
    )
    return content.encode()


def data(figures: Figures, created: datetime, prices: Prices, samples: Sequence[Samples | None]) -> dict[str, Any]:
    """Return the figures of a page for programs, as they stand in it as JSON."""
    cost = figures.cost(prices)
    return {
        "run_id": figures.report.run_id,
        "frames": figures.report.frames,
        "failed_frames": len(figures.report.failed_frames),
        "seconds": round(figures.seconds, 3),
        "sizes": dict(figures.sizes),
        "bytes": {stage: figures.bytes_of(stage) for stage in STAGES},
        "pod_seconds": {stage: round(figures.pod_seconds(stage), 3) for stage in (*STAGES, "joined")},
        "throughput": {stage: [round(rate, 4) for rate in figures.throughput(stage)] for stage in STAGES},
        "waits": {wait.name: [wait.middle, wait.longest] for wait in figures.waits(created)},
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
        f"all {total} checks of the output agree with the input" if not wrong else f"{wrong} of {total} checks differ"
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


def _gantt(figures: Figures) -> dict[str, Any]:
    x, lanes = across(figures.seconds), list[dict[str, Any]]()
    for stage in (*STAGES, "joined"):
        spans = figures.spans(stage)
        pods = list(dict.fromkeys(pod for pod, _, _ in spans))
        for pod in pods:
            own = [(begin, end) for each, begin, end in spans if each == pod]
            title = f"{NAMES[stage]}{f' by {pod}' if pod else ''}: {_duration(sum(end - begin for begin, end in own))}"
            lanes.append({"stage": stage, "title": title, "bars": bars(own, x)})
    hidden, lanes = len(lanes) - MOST_LANES, lanes[:MOST_LANES]
    firsts = {lane["stage"]: number for number, lane in reversed(list(enumerate(lanes)))}
    return {
        "x": x, "lanes": lanes, "lane": LANE, "height": len(lanes) * LANE + 30, "firsts": firsts,
        "hidden": max(0, hidden), "width": WIDTH, "left": LEFT, "right": WIDTH - RIGHT,
    }  # fmt: skip


def _throughput(figures: Figures) -> dict[str, Any]:
    rates = {stage: figures.throughput(stage) for stage in STAGES}
    x, y = across(figures.seconds), up(max(max(values) for values in rates.values()), HEIGHT)
    lines = [{"stage": stage, "d": steps(values, x, y), "most": max(values)} for stage, values in rates.items()]
    return {"x": x, "y": y, "lines": lines, "width": WIDTH, "height": HEIGHT, "bins": BINS}


def _per_frame(figures: Figures) -> list[dict[str, Any]]:
    charts = list[dict[str, Any]]()
    for stage in STAGES:
        values = figures.per_frame(stage)
        if not values:
            continue
        counts, least, most = histogram(values)
        top = max(counts)
        charts.append({
            "stage": stage, "counts": counts, "top": top, "least": least, "most": most, "pieces": len(values),
            "middle": quantile(values, 0.5), "p90": quantile(values, 0.9),
        })  # fmt: skip
    return charts


def _flicker(duration: float, shown: dict[str, Any]) -> dict[str, Any]:
    seen: list[Any] = shown["samples"].flicker
    x = across(max(duration, max(step.seconds for step in seen)))
    measured = [step for step in seen if step.after is not None]
    y = up(max([max(step.before, step.after) for step in measured], default=1.0), HEIGHT)
    lines = {name: list[list[tuple[float, float]]]([[]]) for name in ("before", "after")}
    last = None
    for step in seen:
        for name, parts in lines.items():
            if last is not None and (step.frame != last + 1 or step.after is None):
                parts.append([])
            if step.after is not None:
                parts[-1].append((x(step.seconds), y(getattr(step, name))))
        last = step.frame
    means = {
        name: sum(getattr(step, name) for step in measured) / len(measured) if measured else None for name in lines
    }
    return {
        "model": shown["model"], "number": shown["number"], "x": x, "y": y, "width": WIDTH, "height": HEIGHT,
        "lines": {name: [path(part) for part in parts if part] for name, parts in lines.items()},
        "dots": {name: [part[0] for part in parts if len(part) == 1] for name, parts in lines.items()},
        "cuts": [step for step in seen if step.after is None], "means": means, "steps": len(seen),
    }  # fmt: skip


def _duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"


def _money(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"{value:.2g}" if value >= 1e-4 else f"{value:.6f}"
