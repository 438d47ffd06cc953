"""What is made from the chart and kept beside it: README's tables, rendered examples, alerts for Azure.

    make chart

Tests compare them with what this would write (``test_generated.py``).
"""

import json
import math
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from chart import rulegroups

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/framebrush"
KUBERNETES = "1.34.0"
"""Version whose API the examples are checked against."""
EXAMPLES = ("aks", "kind")


class ToolMissing(Exception):
    """A program is not on the PATH."""


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program and capture what it says.

    Raises:
        ToolMissing: it is not there.
    """
    if not shutil.which(command[0]):
        raise ToolMissing(str(command[0]))
    return subprocess.run([*map(str, command)], capture_output=True, text=True, **options)


def helm(
    action: str, *arguments: str | Path, chart: Path = CHART, release: str = "framebrush"
) -> subprocess.CompletedProcess[str]:
    """``helm template`` or ``helm lint``, as for namespace ``framebrush``."""
    name = [release] if action == "template" else []
    where = ("--namespace", "framebrush", "--kube-version", KUBERNETES)
    return run("helm", action, *name, chart, *where, *arguments)


def values_file(name: str) -> Path:
    """``values-NAME.yaml`` of the chart."""
    return CHART / f"values-{name}.yaml"


def example(name: str) -> str:
    """The manifests of a values file, without dashboards, which have files of their own, and without what is made anew
    at every rendering: the broker's certificate.
    """
    rendered = helm("template", "--values", values_file(name), "--set", "monitoring.dashboards.enabled=false")
    if rendered.returncode:
        raise RuntimeError(rendered.stderr)
    text, made = rendered.stdout, "bWFkZSBhdCBpbnN0YWxs"  # "made at install"
    text = re.sub(r"^(  (?:ca\.crt|tls\.crt|tls\.key): )[A-Za-z0-9+/=]{100,}$", rf"\1{made}", text, flags=re.M)
    text = re.sub(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", "made at install", text, flags=re.S)
    return f"# Made by `make chart`: helm template with values-{name}.yaml, less the dashboards.\n{text}"


# --- README


@cache
def schema() -> dict[str, Any]:
    return json.loads((CHART / "values.schema.json").read_text())


@cache
def values() -> dict[str, Any]:
    return yaml.safe_load((CHART / "values.yaml").read_text())


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """A schema node with what it refers to; its own keys win."""
    if "$ref" not in node:
        return node
    target: Any = schema()
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**resolve(target), **{key: value for key, value in node.items() if key != "$ref"}}


def rows(path: str, node: dict[str, Any], default: Any) -> Iterator[tuple[str, str, str]]:
    """Path, default and description of every value below a node."""
    for key, child in node.get("properties", {}).items():
        child = resolve(child)
        name = f"{path}.{key}" if path else key
        given = default.get(key) if isinstance(default, dict) else None
        if name in ("global", "services") or name == "defaults.settings":
            continue
        if name == "queues":
            yield from rows("queues.NAME", resolve(schema()["$defs"]["queue"]), given["triggers"])
        elif "properties" in child:
            yield from rows(name, child, given)
        else:
            yield name, shown(given), child["description"]


def shown(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value)
    return f"`{text}`" if len(text) <= 60 else "see `values.yaml`"


def leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from leaves(f"{path}.{key}", child)
    else:
        yield path, value


def table(header: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    rule = tuple("---" for _ in header)
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *lines))


def values_table() -> str:
    lines = [(f"`{path}`", default, text) for path, default, text in rows("", schema(), values())]
    return table(("value", "default", "meaning"), lines)


def services_table() -> str:
    lines = [(f"`{path}`", shown(value)) for path, value in leaves("services", values()["services"])]
    return table(("value", "default"), lines)


def settings_table() -> str:
    found: dict[str, tuple[str, str, list[str]]] = {}
    services = schema()["properties"]["services"]["properties"]
    for service in services:
        for name, node in resolve(services[service]["properties"]["settings"])["properties"].items():
            node = resolve(node)
            found.setdefault(name, (shown(node["default"]), node["description"], []))[2].append(service)
    lines = [
        (f"`settings.{name}`", default, "all" if len(users) == len(services) else ", ".join(users), text)
        for name, (default, text, users) in found.items()
    ]
    return table(("value", "default", "services", "meaning"), lines)


COUNTS = (1, 10, 100, 1000)
AWAKE = 1_000_000_000
"""Target of a trigger that keeps one replica awake and never asks for more."""


def scaling_table() -> str:
    """How many pods N messages give with default values, from the rendered ScaledObjects.

    In brackets, where it differs, the number that is reached if messages in hand are not counted: P pods of C messages
    at a time leave N - P x C to count, and P = (N - P x C) / target gives P = N / (target + C).
    """
    rendered = [each for each in yaml.safe_load_all(helm("template", "--set", "local.enabled=true").stdout) if each]
    settings = {each["metadata"]["name"]: each.get("data", {}) for each in rendered if each["kind"] == "ConfigMap"}
    lines = []
    for scaled in (each for each in rendered if each["kind"] == "ScaledObject"):
        name, most = scaled["metadata"]["name"], scaled["spec"]["maxReplicaCount"]
        for trigger in scaled["spec"]["triggers"]:
            queue, target = trigger["metadata"]["queueName"], int(trigger["metadata"]["messageCount"])
            if target >= AWAKE:
                continue
            at_a_time = 1 if queue == "triggers" else int(settings[name]["FRAMEBRUSH_CONCURRENCY"])
            cells = []
            for count in COUNTS:
                counted, not_counted = (
                    str(min(most, math.ceil(count / each))) for each in (target, target + at_a_time)
                )  # fmt: skip
                cells.append(counted if counted == not_counted else f"{counted} ({not_counted})")
            stage = name.removeprefix("framebrush-")
            lines.append((stage, f"`{queue}`", str(at_a_time), str(target), *cells, str(most)))
    header = ("stage", "queue", "at a time", "target", *(f"N = {count}" for count in COUNTS), "at most")
    return table(header, lines)


TABLES = {"values": values_table, "services": services_table, "settings": settings_table, "scaling": scaling_table}


def readme() -> str:
    """README.md with its tables made anew."""
    text = (CHART / "README.md").read_text()
    for name, make in TABLES.items():
        begin, end = f"<!-- {name}: made by `make chart` -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        if not rest or not after:
            raise RuntimeError(f"README.md has no place for the table {name}: {begin} … {end}")
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


def rule_groups() -> str:
    """The alerts for Azure's managed Prometheus."""
    return rulegroups.template((CHART / "alerts/rules.yaml").read_text())


def main() -> None:
    """Write everything."""
    (CHART / "examples").mkdir(exist_ok=True)
    for name in EXAMPLES:
        (CHART / "examples" / f"{name}.yaml").write_text(example(name))
    (CHART / "README.md").write_text(readme())
    (CHART / "alerts/azure.json").write_text(rule_groups())


if __name__ == "__main__":
    try:
        main()
    except ToolMissing as error:
        sys.exit(f"{error} is missing: https://helm.sh")
