"""The chart's alerts, ready to be sent to a Prometheus."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.metrics import selectors

RULES = Path(__file__).parents[2] / "charts" / "framebrush" / "alerts" / "rules.yaml"


@dataclass(frozen=True)
class Alert:
    """An alert."""

    name: str
    expression: str
    """PromQL, with no recorded series left."""
    waits: bool
    """Whether it must hold for a while before it fires."""

    @property
    def names(self) -> set[str]:
        """The series it asks for."""
        return {selector.name for selector in selectors(self.expression)}


def rules() -> list[dict[str, Any]]:
    """All rules, those that record included."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[Alert]:
    """All alerts; recorded series are replaced by what they stand for, since nobody has recorded them."""
    recorded = {rule["record"]: rule["expr"] for rule in rules() if "record" in rule}

    def resolved(expression: str) -> str:
        for name, meaning in recorded.items():
            expression = expression.replace(name, f"({meaning})")
        return expression

    return [Alert(rule["alert"], resolved(rule["expr"]), "for" in rule) for rule in rules() if "alert" in rule]
