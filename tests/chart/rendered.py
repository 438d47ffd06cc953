"""The chart's manifests for some values, as tests look at them."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml
from chart.generate import helm, values_file

CLIENT = "22222222-2222-2222-2222-222222222222"
MINIMUM = {
    "azure.serviceBusNamespace": "contoso",
    "azure.storageAccount": "contosoframes",
    "auth.workloadIdentity.clientId": CLIENT,
    "auth.workloadIdentity.keda.identityId": CLIENT,
}
"""What an installation in Azure must say."""
STAGES = ("splitter", "dispatcher", "scorer", "stitcher", "learner")


class Refused(Exception):
    """Helm's answer to values that the chart does not take."""


class Manifests:
    """What comes out, by kind and name."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.all: list[dict[str, Any]] = [each for each in yaml.load_all(text, yaml.CSafeLoader) if each]

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """All of a kind, by name."""
        return {each["metadata"]["name"]: each for each in self.all if each["kind"] == kind}

    def pods(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every pod and pod template, with the name of what it is in."""
        for each in self.all:
            if each["kind"] == "Pod":
                yield each["metadata"]["name"], each
            elif "template" in each.get("spec", {}):
                yield each["metadata"]["name"], each["spec"]["template"]

    def pod(self, name: str) -> dict[str, Any]:
        """The pod template of a Deployment or Job, or a Pod."""
        return dict(self.pods())[name]

    def environment(self, name: str) -> dict[str, str]:
        """What a Deployment's ConfigMap says."""
        data: dict[str, str] = self.of("ConfigMap")[name]["data"]
        return data

    def triggers(self, name: str) -> dict[str, dict[str, str]]:
        """Metadata of a ScaledObject's triggers, by queue."""
        return {
            each["metadata"]["queueName"]: each["metadata"]
            for each in self.of("ScaledObject")[name]["spec"]["triggers"]
        }


def assignments(values: dict[str, Any]) -> list[str]:
    """Values by path, as helm's arguments; a dot within a key is written ``\\.``."""
    return [argument for path, value in values.items() for argument in ("--set-json", f"{path}={json.dumps(value)}")]


def render(base: str = "", values: dict[str, Any] | None = None, release: str = "framebrush") -> Manifests:
    """``helm template`` with ``values-BASE.yaml``, or the minimum, and what is laid over it.

    Raises:
        Refused: the chart does not take the values.
    """
    found = MINIMUM if not base else {}
    return _render(base, tuple(assignments({**found, **(values or {})})), release)


@cache
def _render(base: str, arguments: tuple[str, ...], release: str) -> Manifests:
    files = ("--values", values_file(base)) if base else ()
    done = helm("template", *files, *arguments, "--set", "monitoring.dashboards.enabled=false", release=release)
    if done.returncode:
        raise Refused(done.stderr)
    return Manifests(done.stdout)
