"""What is made from the chart and kept beside it is what would be made now; the schema says what every value is."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from chart import generate
from chart.generate import CHART, EXAMPLES
from support.rules import rules


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_what_comes_out(name: str) -> None:
    kept = (CHART / "examples" / f"{name}.yaml").read_text()
    assert kept == generate.example(name), "run `make chart`, and read what changes"


def test_readme_has_the_tables() -> None:
    assert (CHART / "README.md").read_text() == generate.readme(), "run `make chart`"


def test_the_alerts_for_azure_are_those_of_the_chart() -> None:
    assert (CHART / "alerts/azure.json").read_text() == generate.rule_groups(), "run `make chart`"
    groups = json.loads(generate.rule_groups())["resources"]
    made = [rule for group in groups for rule in group["properties"]["rules"]]
    assert [rule.get("alert") or rule["record"] for rule in made] == [
        rule.get("alert") or rule["record"] for rule in rules()
    ]
    for rule, ours in zip(made, rules(), strict=True):
        assert rule["expression"] == ours["expr"].strip()
        if "alert" in rule:
            assert re.fullmatch(r"PT\d+[SMH]", rule["for"])
            assert (rule["severity"] == 0) is (ours["labels"]["severity"] == "critical")
        # Whatever begins so is an expression of the template, which only the link is.
        annotations = dict(rule.get("annotations", {}))
        link = annotations.pop("runbook", None)
        assert link == (f"[concat(parameters('runbook'), '#{rule['alert'].lower()}')]" if "alert" in rule else None)
        texts = [rule["expression"], *annotations.values(), *rule.get("labels", {}).values()]
        assert not [text for text in texts if text.startswith("[")]
    assert all(len(group["properties"]["rules"]) <= 20 for group in groups)  # more than Azure takes


def nodes(path: str, node: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every value of the schema that has a name, with what it refers to."""
    for group in ("properties", "patternProperties"):
        for key, child in node.get(group, {}).items():
            if child is False:  # refused
                continue
            found = generate.resolve(child)
            name = f"{path}.{key}".lstrip(".")
            yield name, found
            yield from nodes(name, found)


ALL = dict(nodes("", generate.schema()))


def test_the_schema_describes_every_value() -> None:
    assert len(ALL) > 300
    for name, node in ALL.items():
        assert len(node.get("description", "")) > 3, name
        assert "type" in node, name


FREE = {
    "global", "setup.resources", "styles.volume", "strategy", "resources", "affinity", "behavior", "volume",
}  # fmt: skip
"""Objects whose keys are Kubernetes' own: it checks them."""


def test_the_schema_refuses_unknown_keys_everywhere() -> None:
    for name, node in ALL.items():
        if node["type"] == "object" and name not in FREE and name.rsplit(".", 1)[-1] not in FREE:
            extra = node.get("additionalProperties")
            assert extra is False or extra["type"] == "string", name
            assert extra is not False or node.get("properties") or node.get("patternProperties"), name


def test_readme_lists_every_value() -> None:
    text = (CHART / "README.md").read_text()
    for name, node in ALL.items():
        if name.startswith(("services", "global", "defaults.settings", "queues")) or node.get("properties"):
            continue
        assert f"| `{name}` |" in text, name


def test_readme_links_lead_somewhere() -> None:
    text = (CHART / "README.md").read_text()
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        if target.startswith("http"):
            continue
        assert not file or (CHART / file).exists(), target
        assert file or anchor in anchors, target
