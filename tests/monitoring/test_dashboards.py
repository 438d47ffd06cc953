"""The chart's dashboards: up to date, complete, and asking for what exists."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.metrics import selectors, series, used_labels
from support.panels import CHART, dashboards, panels, queries

GENERATOR = Path(__file__).parents[1] / "tools" / "dashboards.py"
QUERIES = list(queries("framebrush"))
PANELS = [pytest.param(panel, id=panel["title"]) for board in dashboards().values() for panel in panels(board)]


def test_they_are_as_the_generator_makes_them(tmp_path: Path) -> None:
    subprocess.run([sys.executable, GENERATOR, tmp_path], check=True, timeout=60)
    made = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_text() for path in CHART.glob("dashboards/*")}, "run `make dashboards`"
    assert made


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.panel}: {query.legend}")
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


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.panel}: {query.legend}")
def test_queries_stay_in_their_namespace(query: Any) -> None:
    for selector in selectors(query.expression):
        assert selector.labels & {"namespace", "exported_namespace"}


@pytest.mark.parametrize("panel", PANELS)
def test_panels_say_what_they_show(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith((".", "`."))
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEFGH"[: len(panel["targets"])])


@pytest.mark.parametrize("board", dashboards().values(), ids=dashboards().keys())
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


def test_the_dashboard_can_be_moved() -> None:
    for board in dashboards().values():
        variables = {variable["name"]: variable for variable in board["templating"]["list"]}
        assert variables.keys() == {"datasource", "namespace", "price"}
        assert board["uid"].startswith("framebrush-")
        assert "id" not in board
