"""checkov over the rendered manifests, the Dockerfiles and what the program makes: no finding that is not justified."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart.cases import digest
from chart.rendered import render
from provisioning.arm import TYPES, template
from provisioning.built import Built
from support.tools import missing

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "tests/checkov"
PROGRAM = ROOT / ".uv/checkov/bin/checkov"
EXCEPTIONS: list[dict[str, Any]] = yaml.safe_load((FOLDER / "exceptions.yaml").read_text())
IMAGES = ("splitter", "dispatcher", "scorer", "stitcher")

Finding = tuple[str, str]
"""A check and the resource that fails it."""


def checkov(framework: str, *files: Path) -> tuple[set[Finding], int]:
    """What fails, and how many checks hold."""
    if not PROGRAM.exists():
        missing("checkov is missing: make test installs it into .uv")
    done = subprocess.run(
        [PROGRAM, "--file", *files, "--framework", framework, "--skip-download", "--output", "json"],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert not found["results"]["parsing_errors"], done.stderr
    failed = {(each["check_id"], each["resource"]) for each in found["results"]["failed_checks"]}
    return failed, found["summary"]["passed"]


def unexplained(where: str, failed: set[Finding]) -> tuple[set[Finding], list[str]]:
    """The findings that no exception justifies, and the exceptions that nothing meets."""
    own = [each for each in EXCEPTIONS if where in each["where"]]
    met = {
        (each["check"], finding)
        for each in own
        for finding in failed
        if re.fullmatch(each["check"], finding[0]) and re.fullmatch(each["resources"], finding[1])
    }
    return failed - {finding for _, finding in met}, [e["check"] for e in own if e["check"] not in {c for c, _ in met}]


def manifests(**values: Any) -> str:
    """The manifests of AKS with images by digest, in the namespace that helm would put them into."""
    given = {"image.digests": {name: digest("a") for name in IMAGES}} | values
    documents = render("aks", given).all
    for each in documents:
        each["metadata"].setdefault("namespace", "framebrush")
    return yaml.safe_dump_all(documents)


@pytest.mark.timeout(300)
def test_the_manifests(tmp_path: Path) -> None:
    (tmp_path / "aks.yaml").write_text(manifests())
    failed, passed = checkov("kubernetes", tmp_path / "aks.yaml")
    assert unexplained("manifests", failed) == (set(), [])
    assert passed > 600


@pytest.mark.timeout(300)
@pytest.mark.parametrize("where", ["plain", "private"])
def test_the_resources(where: str, plain: Built, private: Built, tmp_path: Path) -> None:
    built = {"plain": plain, "private": private}[where]
    (tmp_path / "azure.json").write_text(template(built))
    failed, passed = checkov("arm", tmp_path / "azure.json")
    assert unexplained(where, failed) == (set(), [])
    assert passed > 20
    assert {f"azure-native:{kind}" for kind in TYPES} <= {each.typ for each in built.resources}


@pytest.mark.timeout(300)
def test_the_dockerfiles() -> None:
    failed, passed = checkov("dockerfile", *ROOT.glob("*/*/Dockerfile"))
    assert passed > 500
    assert unexplained("dockerfiles", failed) == (set(), [])


@pytest.mark.timeout(300)
def test_what_is_wrong_is_found(plain: Built, tmp_path: Path) -> None:
    """A privileged pod, and an account that takes no encryption."""
    text = manifests().replace("allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true")
    (tmp_path / "aks.yaml").write_text(text)
    found, _ = unexplained("manifests", checkov("kubernetes", tmp_path / "aks.yaml")[0])
    assert {check for check, _ in found} == {"CKV_K8S_20"}
    resources = template(plain).replace('"supportsHttpsTrafficOnly": true', '"supportsHttpsTrafficOnly": false')
    (tmp_path / "azure.json").write_text(resources)
    found, _ = unexplained("plain", checkov("arm", tmp_path / "azure.json")[0])
    assert {check for check, _ in found} == {"CKV_AZURE_3"}


def test_every_exception_has_a_reason() -> None:
    for each in EXCEPTIONS:
        assert each.keys() == {"check", "where", "resources", "why"}
        assert len(each["why"]) > 40, each["check"]
