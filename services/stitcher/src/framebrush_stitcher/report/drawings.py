"""The charts of the page as the template draws them: what is where, in units of the drawing."""

from typing import Any

from framebrush_stitcher.report.charts import WIDTH, across, histogram, path, steps, up
from framebrush_stitcher.report.figures import STAGES, Figures, quantile
from framebrush_stitcher.report.seen import Samples

HEIGHT = 180
"""The height of a chart."""


def throughput(figures: Figures) -> dict[str, Any]:
    """Return the frames per second of each stage over the time of the run, as lines with steps."""
    rates = {stage: figures.throughput(stage) for stage in STAGES}
    x, y = across(figures.seconds), up(max(max(values) for values in rates.values()), HEIGHT)
    lines = [{"stage": stage, "d": steps(values, x, y), "most": max(values)} for stage, values in rates.items()]
    return {"x": x, "y": y, "lines": lines, "width": WIDTH, "height": HEIGHT}


def per_frame(figures: Figures) -> list[dict[str, Any]]:
    """Return the histogram of the time per frame of each stage that has one."""
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


def flicker(length: float, samples: Samples) -> dict[str, Any]:
    """Return the flicker over the time of the film, which is ``length`` seconds long; there is at least one step."""
    seen = samples.flicker
    x = across(max(length, max(step.seconds for step in seen)))
    measured = [step for step in seen if step.after is not None]
    y = up(max([max(step.before or 0.0, step.after or 0.0) for step in measured], default=1.0), HEIGHT)
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
        "x": x, "y": y, "width": WIDTH, "height": HEIGHT,
        "lines": {name: [path(part) for part in parts if part] for name, parts in lines.items()},
        "dots": {name: [part[0] for part in parts if len(part) == 1] for name, parts in lines.items()},
        "changes": {kind: [step for step in seen if step.change == kind] for kind in ("cut", "flash")},
        "means": means, "steps": len(seen), "looked": samples.looked, "cut_short": samples.cut_short,
    }  # fmt: skip
