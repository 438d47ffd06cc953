"""The chart's alerts: they hold under promtool, ask for what exists, and tell a person what to do."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.metrics import selectors, series, used_labels
from support.rules import RULES, rules
from support.tools import tool

from framebrush.contracts import FLOW, QUEUES

ROOT = Path(__file__).parents[2]
TESTS = Path(__file__).with_name("rules_test.yaml")
ALL = rules()
ALERTS = [pytest.param(rule, id=rule["alert"]) for rule in ALL if "alert" in rule]
RECORDED = {rule["record"]: frozenset({"namespace", "queue"}) for rule in ALL if "record" in rule}


@pytest.fixture(scope="session")
def promtool() -> str:
    return tool("promtool")


def run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_them(promtool: str) -> None:
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", RULES)


def test_they_fire_when_they_should(promtool: str) -> None:
    run(promtool, "test", "rules", TESTS)


def test_every_rule_is_tested() -> None:
    tests = yaml.safe_load(TESTS.read_text())["tests"]
    cases = [case for test in tests for case in test.get("alert_rule_test", [])]
    names = {rule.values[0]["alert"] for rule in ALERTS}
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == names
    assert {sample["expr"] for test in tests for sample in test.get("promql_expr_test", [])} == RECORDED.keys()


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.get("alert") or rule["record"])
def test_they_ask_for_what_exists(rule: dict[str, Any]) -> None:
    known, names = set[str](), series() | RECORDED
    for selector in selectors(rule["expr"]):
        assert selector.name in names
        assert selector.labels <= names[selector.name], selector.name
        known |= names[selector.name]
    assert used_labels(rule["expr"]) <= known


def test_every_queue_and_every_service_is_watched() -> None:
    text = RULES.read_text()
    queues = re.search(r"azure-servicebus-\(([a-z|]+)\)", text)
    services = re.search(r'service=~"([a-z|]+)"', text)
    scaled = re.search(r'scaledObject=~"\.\+-\(([a-z|]+)\|scorer-\.\+\)"', text)
    assert queues
    assert services
    assert scaled
    assert queues[1].split("|") == list(QUEUES)
    known = {step.service for step in FLOW.values()}
    assert set(services[1].split("|")) == {*scaled[1].split("|"), "scorer"} == known


@pytest.mark.parametrize("rule", ALERTS)
def test_they_tell_a_person_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Framebrush")
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    absent = rule["expr"].startswith("absent(")  # It is about no namespace, as there are no figures.
    assert ("{{ $labels.namespace }}" in rule["annotations"]["summary"]) is not absent
    path, _, anchor = rule["annotations"]["runbook"].partition("#")
    sections = re.split(r"^## ", (ROOT / path).read_text(), flags=re.MULTILINE)[1:]
    (section,) = [section for section in sections if section.splitlines()[0].lower() == anchor]
    assert anchor == rule["alert"].lower()
    for part in ("**Means.**", "**Look at.**", "**Do.**"):
        assert part in section


def test_the_runbook_knows_no_other_alert() -> None:
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs" / "runbook.md").read_text(), flags=re.MULTILINE)
    assert headings == [rule.values[0]["alert"] for rule in ALERTS]
