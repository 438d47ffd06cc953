from pathlib import Path

import pytest
from chaos.inspection import differences
from chaos.scenario import CELLS, SERVICES, Cell, Disturbance, Kind, Moment, Scenario, Stage
from chaos.tally import MARKS, Tally, insert, table
from chaos.verdict import Run, Verdict

KILLED, FROZEN = Cell(Kind.KILL, "scorer"), Cell(Kind.FREEZE, "broker")


def verdict(*cells: Cell, problems: tuple[str, ...] = (), struck: tuple[int, ...] | None = None) -> Verdict:
    moment = Moment(0, Stage.SCORED, 0.5, 0.1)
    disturbances = tuple(Disturbance(cell, (0,), moment, 0.0) for cell in cells)
    models = (("identity",), ("identity",))
    runs = [
        Run("seed-1-0", models[0], 0.0, submitted=1.0, ended=4.0, state="succeeded", identical=True),
        Run("seed-1-1", models[1], 0.0, submitted=1.0, ended=6.0, state="succeeded", identical=not problems),
    ]
    return Verdict(
        Scenario(1, keep=False, models=models, delays=(0.0, 0.0), disturbances=disturbances),
        runs,
        struck=dict(enumerate(struck if struck is not None else [1] * len(cells))),
        letters=sum(problem.startswith("letter") for problem in problems),
        problems=list(problems),
        memory=dict.fromkeys(SERVICES, 50_000_000),
        children=dict.fromkeys(SERVICES, 1),
    )


def tally(*verdicts: Verdict) -> Tally:
    found = Tally()
    for each in verdicts:
        found.add(each)
    return found


def test_a_seed_counts_in_every_row_that_it_hit_and_once_in_the_total() -> None:
    found = tally(verdict(KILLED, FROZEN), verdict(KILLED))
    assert [found.rows[cell].seeds for cell in (KILLED, FROZEN)] == [2, 1]
    assert (found.total.seeds, found.total.runs, found.total.identical) == (2, 4, 4)


def test_a_disturbance_after_the_runs_end_counts_in_no_row() -> None:
    found = tally(verdict(KILLED, FROZEN, struck=(2, 0)))
    assert (found.rows[KILLED].seeds, found.rows[FROZEN].seeds, found.late) == (1, 0, 1)


def test_problems_are_counted_by_kind() -> None:
    found = tally(verdict(KILLED, problems=("letter: a", "letter: b", "orphan: runs/x")))
    assert found.problems == {"letter": 2, "orphan": 1}
    assert found.rows[KILLED].as_dict() == {
        "seeds": 1,
        "runs": 2,
        "identical": 1,
        "letters": 2,
        "seeds_with_problems": 1,
        "seconds": {"median": 4.0, "max": 5.0},
    }


def test_the_table_has_a_line_for_every_cell_and_the_total() -> None:
    lines = table(tally(verdict(KILLED)).as_dict()).splitlines()
    assert len([line for line in lines if line.startswith(("| `", "| all"))]) == len(CELLS) + 1
    assert "| `kill -9` | scorer | 1 | 2 | 2 | 0 | 0 | 4.0 | 5.0 |" in lines
    assert "| `SIGSTOP` | broker | 0 | 0 | 0 | 0 | 0 | - | - |" in lines
    assert "| all seeds |  | 1 | 2 | 2 | 0 | 0 | 4.0 | 5.0 |" in lines
    assert "| stitcher | 50 | 50 | 50 | 1 |" in lines
    assert lines[-1] == "Problems: none."


def test_the_section_of_a_page_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n")
    for text in ("new", "newer"):
        insert(page, text)
    assert page.read_text() == f"before\n{MARKS[0]}\n\nnewer\n\n{MARKS[1]}\nafter\n"


def test_a_page_without_the_section_stays_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("something else")
    with pytest.raises(ValueError, match="no section"):
        insert(page, "new")
    assert page.read_text() == "something else"


def test_blobs_differ_by_name_or_content() -> None:
    wanted, found = {"a": "1", "b": "2", "c": ""}, {"b": "3", "c": "", "d": "4"}
    assert differences("runs/x/", wanted, found) == ["orphan: runs/x/d", "missing: runs/x/a", "other bytes: runs/x/b"]
