"""The chart's dashboards: up to date, in Grafana's schema, complete, and asking for what exists."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from support.metrics import selectors, series, used_labels
from support.panels import CHART, dashboards, panels, prices, queries
from support.rules import rules

from framebrush_cli import menu
from framebrush_stitcher.settings import StitcherSettings

GENERATOR = Path(__file__).parents[1] / "tools" / "dashboards.py"
QUERIES = list(queries("framebrush"))
BOARDS = dashboards()
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}") for name, board in BOARDS.items() for panel in panels(board)
]

each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
each_panel = pytest.mark.parametrize("panel", PANELS)
each_query = pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.panel}: {query.legend}")


def through_schema(board: dict[str, Any]) -> dict[str, Any]:
    """A dashboard read and written by Grafana's SDK, which knows no property that is not in the schema."""
    register_default_plugins()
    written: dict[str, Any] = json.loads(JSONEncoder().encode(Dashboard.from_json(board)))
    return written


def test_they_are_as_the_generator_makes_them(tmp_path: Path) -> None:
    subprocess.run([sys.executable, GENERATOR, tmp_path], check=True, timeout=60)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in CHART.glob("dashboards/*")}, "run `make dashboards`"
    assert made.keys() == {"operators.json", "throughput.json"}


@each_board
def test_they_are_in_the_schema(board: dict[str, Any]) -> None:
    assert through_schema(board) == board


@pytest.mark.parametrize("place", ["dashboard", "panel", "target", "variable"])
def test_the_schema_refuses_what_is_misspelt(place: str) -> None:
    board = next(iter(dashboards().values()))
    panel = panels(board)[0]
    {
        "dashboard": board,
        "panel": panel,
        "target": panel["targets"][0],
        "variable": board["templating"]["list"][0],
    }[place]["titel"] = "?"
    assert through_schema(board) != board


@each_query
def test_queries_ask_for_what_exists(query: Any) -> None:
    assert not re.search(r"\$[a-z_{]", query.expression), "a variable is left"
    names = list(selectors(query.expression))
    assert names
    known = set[str]()
    for selector in names:
        assert selector.name in series()
        assert selector.labels <= series()[selector.name], selector.name
        known |= series()[selector.name]
    made = set(re.findall(r'label_replace\(.*?, "(\w+)", "\$1"', query.expression))
    assert used_labels(query.expression) <= known
    assert set(re.findall(r"{{(\w+)}}", query.legend)) <= known | made


@each_query
def test_queries_stay_in_their_namespace(query: Any) -> None:
    for selector in selectors(query.expression):
        assert selector.labels & {"namespace", "exported_namespace"}


@each_panel
def test_panels_ask_a_question_and_say_how_to_read_the_answer(panel: dict[str, Any]) -> None:
    assert re.fullmatch(r"[A-Z].*\?", panel["title"])
    assert len(panel["title"]) <= 10 * panel["gridPos"]["w"], "Grafana cuts it off"
    assert panel["description"].endswith((".", "`."))
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])


@each_panel
def test_descriptions_name_what_exists(panel: dict[str, Any]) -> None:
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert set(re.findall(r"\bFramebrush\w+", panel["description"])) <= alerts
    assert set(re.findall(r"`framebrush (\w+)", panel["description"])) <= set(menu.COMMANDS)
    for page in re.findall(r"docs/\w+\.md", panel["description"]):
        assert (CHART.parents[1] / page).exists()


@each_board
def test_panels_do_not_overlap(board: dict[str, Any]) -> None:
    taken = set[tuple[int, int]]()
    for panel in board["panels"]:
        grid = panel["gridPos"]
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    assert len({panel["title"] for panel in panels(board)}) == len(panels(board))


@each_board
def test_they_can_be_moved(board: dict[str, Any]) -> None:
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert variables == {"datasource", "namespace"} | prices(board).keys()
    assert board["uid"].startswith("framebrush-")
    assert "id" not in board


def test_prices_are_those_of_the_report() -> None:
    defaults = {name: str(field.default) for name, field in StitcherSettings.model_fields.items()}
    names = {"price_scorer_hour", "price_cpu_hour", "price_writes", "price_operations"}
    assert prices(BOARDS["throughput.json"]) == {name: defaults[name] for name in names}
    assert not prices(BOARDS["operators.json"])
