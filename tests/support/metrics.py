"""What the services export, from their source; and what a PromQL expression asks for."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import promql_parser

SERVICES = Path(__file__).parents[2] / "services"
KINDS = {"Counter": ("",), "Gauge": ("",), "Histogram": ("_bucket", "_sum", "_count")}
"""What the names of a metric's series end in, by its class."""

TARGET = frozenset({"job", "instance", "namespace", "pod", "service", "pool"})
"""Labels that the PodMonitor and the scrape configuration of the tests give."""

FOREIGN = {
    "up": TARGET,
    "process_cpu_seconds_total": TARGET,
    "process_resident_memory_bytes": TARGET,
    "process_start_time_seconds": TARGET,
}
"""What Prometheus and its Python client export themselves, as far as it is used here, and the labels."""

_SCALER = frozenset({"metric", "scaledObject", "scaler", "triggerIndex", "type", "namespace", "exported_namespace"})
KEDA = {
    "keda_scaler_metrics_value": _SCALER,
    "keda_scaled_object_errors_total": frozenset({"scaledObject", "namespace", "exported_namespace"}),
}
"""What KEDA 2.21 exports, as far as it is used here: pkg/metricscollector/prommetrics.go."""


_CARD = frozenset(
    {"gpu", "UUID", "pci_bus_id", "device", "modelName", "Hostname", "container"}
    | {"namespace", "exported_namespace", "pod", "exported_pod"}
)
DCGM = dict.fromkeys(
    (
        "DCGM_FI_DEV_GPU_UTIL",
        "DCGM_FI_DEV_FB_USED",
        "DCGM_FI_DEV_POWER_USAGE",
        "DCGM_FI_DEV_GPU_TEMP",
        "DCGM_FI_DEV_XID_ERRORS",
    ),
    _CARD,
)
"""What NVIDIA's dcgm-exporter 4 exports by default, as far as it is used here: etc/default-counters.csv. In Kubernetes
it names the pod that has the card."""


@dataclass(frozen=True)
class Metric:
    """A metric as the code declares it."""

    name: str
    kind: str
    labels: frozenset[str]


@lru_cache(1)
def declared() -> dict[str, Metric]:
    """All metrics of the services, by name."""
    found = {}
    for path in SERVICES.glob("*/src/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
                match node.args:
                    case [ast.Constant(str(name)), ast.Constant(str()), *rest] if name.startswith("framebrush_"):
                        assert name not in found, f"{name} is declared twice"
                        labels = frozenset(ast.literal_eval(rest[0])) if rest else frozenset[str]()
                        found[name] = Metric(name, node.func.id, labels)
    return found


@lru_cache(1)
def series() -> dict[str, frozenset[str]]:
    """The labels of every series that may be asked for, by name."""
    ours = {
        metric.name + suffix: metric.labels | TARGET | ({"le"} if suffix == "_bucket" else frozenset[str]())
        for metric in declared().values()
        for suffix in KINDS[metric.kind]
    }
    return ours | FOREIGN | KEDA | DCGM


@dataclass(frozen=True)
class Selector:
    """A name in an expression, and the labels it is narrowed down by."""

    name: str
    labels: frozenset[str]


def selectors(expression: str) -> Iterator[Selector]:
    """All names in an expression.

    Raises:
        ValueError: it is no PromQL.
    """
    for node in _nodes(expression):
        if isinstance(node, promql_parser.VectorSelector):
            matchers = [*node.matchers.matchers, *(each for group in node.matchers.or_matchers for each in group)]
            yield Selector(node.name or "", frozenset(matcher.name for matcher in matchers))


def used_labels(expression: str) -> set[str]:
    """The labels that an expression groups or joins by, and those it makes up itself are left out.

    Raises:
        ValueError: it is no PromQL.
    """
    used, made = set[str](), set[str]()
    for node in _nodes(expression):
        match node:
            case promql_parser.AggregateExpr() if node.modifier is not None:
                used.update(node.modifier.labels)
            case promql_parser.BinaryExpr() if node.modifier is not None and node.modifier.matching is not None:
                used.update(node.modifier.matching.labels)
            case promql_parser.Call() if node.func.name == "label_replace":
                made.add(node.args[1].val)
                used.add(node.args[3].val)
    return used - made


def _nodes(expression: str) -> list[promql_parser.Expr]:
    """An expression and its parts."""
    found = list[promql_parser.Expr]()
    promql_parser.walk(promql_parser.parse(expression), pre_visit=found.append)
    return found
