"""Helm and Kubernetes accept the chart: ``helm lint``, kubeconform, and the schemas that it checks against."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from chart import schemas
from chart.cases import CASES, EVERYTHING
from chart.generate import CHART, EXAMPLES, helm, values_file
from chart.rendered import MINIMUM, assignments, render
from support.tools import missing


@pytest.mark.parametrize(
    "arguments",
    [
        assignments(MINIMUM),
        assignments(MINIMUM | EVERYTHING),
        *(["--values", str(values_file(each))] for each in EXAMPLES),
    ],
    ids=["default", "everything", *EXAMPLES],
)
def test_helm_lint(arguments: list[str]) -> None:
    done = helm("lint", "--strict", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def conform(program: str, text: str) -> dict[str, Any]:
    """kubeconform's report; every kind must have a schema."""
    locations = [
        f"{schemas.SCHEMAS}/{{{{.ResourceKind}}}}{each}.json"
        for each in ("{{.KindSuffix}}", "_{{.ResourceAPIVersion}}")
    ]
    options = [argument for each in locations for argument in ("-schema-location", each)]
    done = subprocess.run(
        [program, "-strict", "-summary", "-output", "json", "-kubernetes-version", schemas.KUBERNETES, *options],
        input=text, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("name", EXAMPLES)
def test_kubeconform_accepts_the_examples(kubeconform: str, name: str) -> None:
    report = conform(kubeconform, (CHART / "examples" / f"{name}.yaml").read_text())
    assert not report.get("resources"), report
    assert report["summary"]["valid"] > 20


@pytest.mark.parametrize("case", CASES)
def test_kubeconform_accepts_other_values(kubeconform: str, case: str) -> None:
    base, values = CASES[case]
    report = conform(kubeconform, render(base, values).text)
    assert not report.get("resources"), report


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pollingInterval:", "pollingInterwal:"),  # KEDA's
        ("cooldownPeriod: 1860", "cooldownPeriod: soon"),
        ("stabilizationWindowSeconds: 0", "stabilisationWindowSeconds: 0"),  # the autoscaler's, within KEDA's
        ("terminationGracePeriodSeconds:", "terminationGraceSeconds:"),  # Kubernetes'
        ("maxUnavailable: 50%", "maxUnavailable: [half]"),
    ],
)
def test_kubeconform_sees_mistakes(kubeconform: str, old: str, new: str) -> None:
    text = render("aks").text
    assert old in text
    report = conform(kubeconform, text.replace(old, new, 1))
    assert report["summary"]["invalid"] == 1, report


def test_schemas_are_those_of_kedas_release() -> None:
    manifest = os.environ.get("KEDA_MANIFEST")
    if not manifest:
        missing("KEDA_MANIFEST names no release manifest: https://github.com/kedacore/keda/releases")
    for name, schema in schemas.keda_schemas(Path(manifest).read_text()).items():
        assert (schemas.SCHEMAS / name).read_text() == schemas.text(schema), (
            f"{name}: see {schemas.__name__}'s docstring"
        )


def test_every_kind_has_a_schema_and_every_schema_a_kind(kubeconform: str) -> None:
    kinds = {each["kind"].lower() for base, values in CASES.values() for each in render(base, values).all}
    assert {path.name.split("-")[0].split("_")[0] for path in schemas.SCHEMAS.iterdir()} == kinds
