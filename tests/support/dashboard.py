"""A dashboard's panels as one picture: what Grafana would show, less its looks."""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support.panels import Query
from support.prometheus import SCRAPE, Prometheus, Series

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Answers = dict[Query, Series]
Points = list[tuple[float, float]]
"""Unix time and value, finite or not."""

_COLUMN, _ROW, _HEAD = 0.62, 0.36, 1.0
"""Inches of a column, of a row, and above all."""
_INK, _DIM = "#1f2328", "#59636e"
_NONE = "no data"


def legend(pattern: str, metric: Mapping[str, str]) -> str:
    """A legend with its labels filled in."""
    return re.sub(r"{{(\w+)}}", lambda label: metric.get(label[1], ""), pattern)


def number(value: float, unit: str, decimals: int | None = None) -> str:
    """A value in its unit, as Grafana writes it, roughly."""
    match unit:
        case "percentunit":
            return f"{value * 100:.{decimals or 0}f} %"
        case "currencyUSD":
            return (
                f"${value:.{3 if decimals is None else decimals}g}" if value and abs(value) < 0.01 else f"${value:.2f}"
            )
        case "bytes" | "Bps":
            power = min(int(math.log(value, 1000)) if value >= 1 else 0, 4)
            return f"{value / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}{'/s' if unit == 'Bps' else ''}"
    text = f"{value:,.{decimals}f}" if decimals is not None else f"{value:,.4g}"
    return f"{text} {unit.removeprefix('suffix:').strip()}".removesuffix(" short")


def over(prometheus: Prometheus, queries: Iterable[Query], start: float, end: float) -> Answers:
    """What a Prometheus answers to queries over a time, in steps of a scrape."""
    return {
        query: prometheus.ask("query_range", query=query.expression, start=start, end=end, step=SCRAPE)
        for query in queries
    }


def peaks(answers: Answers, dashboard: str) -> dict[str, float]:
    """The highest value of every line of a dashboard, as a person would read it off, by ``panel: legend``."""
    found = dict[str, float]()
    for query, answer in answers.items():
        for series in answer if query.dashboard == dashboard else ():
            values = [float(value) for _, value in series["values"] if math.isfinite(float(value))]
            name = f"{query.panel}: {legend(query.legend, series['metric'])}".removesuffix(": ")
            found[name] = max(values, default=0.0)
    return found


def draw(board: dict[str, Any], answers: Answers, path: Path, *, caption: str = "", **metadata: str) -> None:
    """Every panel at its place in the grid of 24 columns; single numbers are the last that there was.

    What is 0 all the time has no legend, which a picture has no room for.

    Args:
        board: The dashboard, as JSON.
        answers: Those to the queries of this dashboard, and of no other.
        path: Where the picture goes, as PNG.
        caption: Stands under the title.
        metadata: Written into the PNG, by key.
    """
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    times = [float(when) for answer in answers.values() for series in answer for when, _ in series["values"]]
    start, end = min(times, default=0.0), max(times, default=1.0)
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    wide, high = 24 * _COLUMN, rows * _ROW + _HEAD
    figure = plt.figure(figsize=(wide, high), dpi=80, facecolor="#f4f5f5")
    figure.text(0.01, 1 - 0.38 / high, board["title"], fontsize=15, color=_INK, weight="bold")
    figure.text(0.01, 1 - 0.7 / high, caption, fontsize=10, color=_DIM)
    for panel in board["panels"]:
        place = panel["gridPos"]
        left, top = place["x"] * _COLUMN, _HEAD + place["y"] * _ROW
        if panel["type"] == "row":
            figure.text((left + 0.15) / wide, 1 - (top + 0.26) / high, panel["title"], fontsize=11, weight="bold")
            continue
        box = (left + 0.06, high - top - place["h"] * _ROW + 0.05, place["w"] * _COLUMN - 0.12, place["h"] * _ROW - 0.1)
        card = figure.add_axes((box[0] / wide, box[1] / high, box[2] / wide, box[3] / high), xticks=[], yticks=[])
        card.spines[:].set_color("#d8dadd")
        figure.text((box[0] + 0.1) / wide, (box[1] + box[3] - 0.22) / high, panel["title"], fontsize=9, color=_INK)
        found = {
            legend(query.legend, series["metric"]): [(float(when), float(value)) for when, value in series["values"]]
            for query, answer in answers.items()
            if query.panel == panel["title"]
            for series in answer
        }
        if panel["type"] == "stat":
            _stat(card, panel, found)
        elif not found:
            card.text(0.5, 0.45, _NONE, ha="center", color=_DIM)
        else:
            inner = (box[0] + 0.7, box[1] + 0.72, box[2] - 0.85, box[3] - 1.08)
            axes = figure.add_axes((inner[0] / wide, inner[1] / high, inner[2] / wide, inner[3] / high))
            _graph(axes, panel, found, start, end)
    figure.savefig(path, metadata=metadata, pil_kwargs={"optimize": True})
    plt.close(figure)


def _stat(card: "Axes", panel: dict[str, Any], found: Mapping[str, Points]) -> None:
    """One number, in the colour of the highest threshold that it reaches."""
    defaults = panel["fieldConfig"]["defaults"]
    values = [value for points in found.values() for _, value in points if math.isfinite(value)]
    if not values:
        card.text(0.5, 0.3, defaults["noValue"], fontsize=20, ha="center", color=_DIM)
        return
    steps = defaults["thresholds"]["steps"]
    colour = [step["color"] for step in steps if step.get("value") is None or values[-1] >= step["value"]][-1]
    text = number(values[-1], defaults["unit"], defaults.get("decimals"))
    card.text(0.5, 0.28, text, fontsize=20, ha="center", color={"green": "#1a7f37", "red": "#cf222e"}[colour])


def _graph(axes: "Axes", panel: dict[str, Any], found: Mapping[str, Points], start: float, end: float) -> None:
    """Lines, or areas upon each other, from 0 on, over minutes since the start."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    defaults = panel["fieldConfig"]["defaults"]
    custom, unit = defaults["custom"], defaults["unit"]
    stacked = custom["stacking"]["mode"] == "normal"
    stepped = custom["lineInterpolation"] == "stepAfter"
    floor = dict[float, float]()
    for name, points in found.items():
        at = [(when - start) / 60 for when, _ in points]
        below = [floor.get(when, 0.0) if stacked else 0.0 for when, _ in points]
        values = [value + under for (_, value), under in zip(points, below, strict=True)]
        style = "steps-post" if stepped else "default"
        [line] = axes.plot(at, values, label=name, linewidth=1.3, drawstyle=style)
        if stacked:
            axes.fill_between(at, below, values, step="post" if stepped else None, alpha=0.4, color=line.get_color())
            floor = {when: value for (when, _), value in zip(points, values, strict=True)}
    axes.set_xlim(0, (end - start) / 60)
    shown = {name: any(value > 0 for _, value in points) for name, points in found.items()}
    if not any(shown.values()):
        axes.text(0.5, 0.5, "0 all the time", ha="center", color=_DIM, transform=axes.transAxes)
    axes.set_ylim(0, max(axes.get_ylim()[1] if any(shown.values()) else 1.0, custom.get("axisSoftMax", 0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda minutes, _: f"{minutes:g} min"))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=unit == "short" and stepped))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, unit)))
    axes.tick_params(labelsize=7, colors=_DIM)
    axes.grid(alpha=0.25)
    axes.spines[:].set_visible(False)
    lines, names = axes.get_legend_handles_labels()
    kept = [(line, name) for line, name in zip(lines, names, strict=True) if shown[name]]
    axes.legend(
        [line for line, _ in kept],
        [name for _, name in kept],
        fontsize=6.5,
        loc="upper left",
        bbox_to_anchor=(-0.12, -0.13),
        ncols=max(2, panel["gridPos"]["w"] // 2),
        frameon=False,
        borderpad=0,
        labelspacing=0.2,
        columnspacing=1.0,
        handlelength=1.0,
        labelcolor=_INK,
    )
