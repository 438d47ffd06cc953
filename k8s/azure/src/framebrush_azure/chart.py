"""What the chart says: its values are the one place where queues, containers and times are declared."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[4] / "charts" / "framebrush"
SERVICES = ("splitter", "dispatcher", "scorer", "stitcher", "learner")
GPU_TAINT = "sku=gpu:NoSchedule"
"""The taint of GPU nodes, which values-aks.yaml tolerates."""
SPOT_TAINT = "kubernetes.azure.com/scalesetpriority=spot:NoSchedule"
"""The taint that AKS gives to spot nodes of itself."""


@cache
def values() -> dict[str, Any]:
    """Return the chart's default values."""
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    return found


def queues() -> dict[str, dict[str, int]]:
    """Return the options of every queue, durations in seconds."""
    return dict(values()["queues"])


def containers() -> dict[str, str]:
    """Return the name of every container by what it is for."""
    return dict(values()["containers"])


def longest_termination() -> int:
    """Return the seconds that a pod may take to end at most: it finishes the message that it has in hand."""
    defaults, services = values()["defaults"], values()["services"]
    return max(
        int(services[name].get("messageTimeout", defaults["messageTimeout"]))
        + int(services[name].get("metricsLinger", defaults["metricsLinger"]))
        + 15
        for name in SERVICES
    )


def toleration(taint: str) -> dict[str, str]:
    """Return what a pod tolerates to run on nodes with a taint."""
    pair, _, effect = taint.partition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "operator": "Equal", "value": value, "effect": effect}
