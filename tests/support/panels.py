"""The queries of the chart's dashboards, ready to be sent to a Prometheus."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHART = Path(__file__).parents[2] / "charts" / "framebrush"


@dataclass(frozen=True)
class Query:
    """A query of a panel."""

    dashboard: str
    """The name of its file."""
    panel: str
    legend: str
    expression: str
    """PromQL, with no variable left."""

    @property
    def needs_gpu(self) -> bool:
        """Whether it asks NVIDIA's exporter, which is only there with a GPU."""
        return "DCGM_" in self.expression


def dashboards() -> dict[str, dict[str, Any]]:
    """The dashboards' JSON, by file name."""
    return {path.name: json.loads(path.read_text()) for path in sorted(CHART.glob("dashboards/*.json"))}


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """All panels of a dashboard that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def prices(dashboard: dict[str, Any]) -> dict[str, str]:
    """The variables that a person may change, with the values that they have at first."""
    variables = dashboard["templating"]["list"]
    return {each["name"]: each["query"] for each in variables if each["type"] == "textbox"}


def queries(namespace: str, *, window: str = "1m", span: int = 600) -> Iterator[Query]:
    """Every query of every panel, with values for the variables.

    Sent as range queries over a time in which a run took place, all but those of GPUs return data; some are empty or
    NaN at times, when nothing is scored or no dispatcher is up.

    Args:
        namespace: Where the installation is.
        window: For ``$__rate_interval``: at least four scrape intervals.
        span: For ``$__range``, in seconds.
    """
    values = {
        "$__rate_interval": window,
        "$__range_s": str(span),
        "$__range": f"{span}s",
        "$namespace": namespace,
    }
    for name, dashboard in dashboards().items():
        known = values | {f"${price}": value for price, value in prices(dashboard).items()}
        for panel in panels(dashboard):
            for target in panel["targets"]:
                expression = target["expr"]
                for variable, value in known.items():  # the longer of two names comes first
                    expression = expression.replace(variable, value)
                yield Query(name, panel["title"], target.get("legendFormat", ""), expression)
