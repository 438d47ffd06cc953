"""A dashboard's panels as one picture: what Grafana would show, less its looks."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.panels import Query, panels

Series = list[dict[str, Any]]
"""As Prometheus answers a range query: ``metric`` and ``values``, pairs of Unix time and text."""

_UNITS = {"short": "", "percentunit": "share", "currencyUSD": "$", "Bps": "bytes/s"}


def legend(pattern: str, metric: dict[str, str]) -> str:
    """A legend with its labels filled in."""
    return re.sub(r"{{(\w+)}}", lambda label: metric.get(label[1], ""), pattern)


def draw(board: dict[str, Any], queries: list[Query], ask: Callable[[Query], Series], path: Path) -> None:
    """Every panel at its place in the grid of 24 columns; single numbers are the last that there was."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    shown = panels(board)
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in shown)
    figure = plt.figure(figsize=(18, rows * 0.42), dpi=80)
    for panel in shown:
        place = panel["gridPos"]
        width, height = place["w"] / 24, place["h"] / rows
        bottom = 1 - (place["y"] + place["h"]) / rows
        inner = (place["x"] / 24 + 0.03, bottom + height * 0.17, width - 0.04, height * 0.62)
        axes = figure.add_axes(inner)
        unit = panel["fieldConfig"]["defaults"]["unit"].removeprefix("suffix:").strip()
        unit = _UNITS.get(unit, unit)
        axes.set_title(f"{panel['title']}{f' ({unit})' if unit else ''}", fontsize=9, loc="left")
        found = [
            (legend(query.legend, series["metric"]), [(float(time), float(value)) for time, value in series["values"]])
            for query in queries
            if query.panel == panel["title"]
            for series in ask(query)
        ]
        if panel["type"] == "stat":
            values = [value for _, points in found for _, value in points if math.isfinite(value)]
            axes.text(0.5, 0.4, f"{values[-1]:.4g}" if values else "-", fontsize=20, ha="center")
            axes.axis("off")
            continue
        for name, points in sorted(found):
            times = [time - found[0][1][0][0] for time, _ in points]
            axes.plot(times, [value for _, value in points], label=name, linewidth=1.2)
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.25)
        if found:
            axes.legend(fontsize=6, ncols=2, loc="upper left", framealpha=0.6)
    figure.savefig(path)
    plt.close(figure)
