"""The changelog, and what the chart's annotations tell Artifact Hub."""

import itertools
import re
import tomllib
from pathlib import Path

import yaml
from chart import generate

ROOT = Path(__file__).parents[2]
CHART = yaml.safe_load((generate.CHART / "Chart.yaml").read_text())
KINDS = {"added", "changed", "deprecated", "removed", "fixed", "security"}
"""Of both Keep a Changelog and Artifact Hub."""
CATEGORIES = {
    "ai-machine-learning", "database", "integration-delivery", "monitoring-logging", "networking", "security",
    "storage", "streaming-messaging",
}  # fmt: skip


def releases() -> dict[str, dict[str, list[str]]]:
    """For each release, newest first, its lines by kind."""
    text = (ROOT / "CHANGELOG.md").read_text()
    found: dict[str, dict[str, list[str]]] = {}
    for title, body in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL):
        parts = re.findall(r"^### (.+?)\n(.*?)(?=^### |\Z)", body, re.MULTILINE | re.DOTALL)
        found[title] = {kind: re.findall(r"^(?:-|\d+\.) (.+)$", lines, re.MULTILINE) for kind, lines in parts}
    return found


def test_the_changelog_has_the_version_of_everything() -> None:
    titles = list(releases())
    assert titles[0] == "Unreleased"
    dated = [re.fullmatch(r"(\d+\.\d+\.\d+) - (2026-\d\d-\d\d)", each) for each in titles[1:]]
    assert all(dated)
    pairs = [(match[1], match[2]) for match in dated if match]
    assert pairs == sorted(pairs, reverse=True)
    versions = {
        tomllib.loads(path.read_text())["project"]["version"]
        for path in [*ROOT.glob("services/*/pyproject.toml"), *ROOT.glob("tests/broker/pyproject.toml")]
    }
    assert versions | {CHART["version"], CHART["appVersion"]} == {pairs[0][0]}


def test_each_release_but_the_first_tells_how_to_upgrade() -> None:
    found = releases()
    titles = list(found)
    for title, before in itertools.pairwise(titles):
        steps = found[title][f"Upgrading from {before.rpartition('.')[0]}"]
        assert steps
    for kinds in found.values():
        assert {kind.lower() for kind in kinds if not kind.startswith("Upgrading")} <= KINDS
        assert all(lines for lines in kinds.values())


def test_settings_that_the_changelog_names_exist() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    known = (generate.CHART / "values.schema.json").read_text()
    names = set(re.findall(r"`([a-z]+[A-Z]\w+)`", text))
    assert len(names) > 4
    assert [name for name in names if f'"{name}"' not in known] == []


def test_artifact_hub_is_told_what_the_changelog_tells() -> None:
    notes = {key.removeprefix("artifacthub.io/"): value for key, value in CHART["annotations"].items()}
    assert all(isinstance(value, str) for value in notes.values())  # Kubernetes takes no other annotations
    changes = yaml.safe_load(notes.pop("changes"))
    told = [(change["kind"], change["description"]) for change in changes]
    release = next(lines for title, lines in releases().items() if title.startswith(CHART["version"]))
    kinds = {kind.lower(): lines for kind, lines in release.items() if not kind.startswith("Upgrading")}
    assert told == [(kind, line) for kind, lines in kinds.items() for line in lines]
    assert notes.pop("category") in CATEGORIES
    assert (ROOT / "LICENSE").read_text().startswith(f"{notes.pop('license')} License")
    assert notes.pop("operator") == "false"
    assert [each.keys() for each in yaml.safe_load(notes.pop("recommendations"))] == [{"url"}]
    assert not notes
