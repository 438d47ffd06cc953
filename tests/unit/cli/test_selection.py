from collections.abc import Callable

import pytest

from framebrush.contracts import Status
from framebrush.runs import Runs
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import resolve


@pytest.fixture(autouse=True)
def _some(runs: Runs, make_status: Callable[[str], Status]) -> None:
    for run_id in ("film-1", "film-12", "film-2", "other"):
        runs.create(make_status(run_id))


@pytest.mark.parametrize(("text", "run_id"), [("film-1", "film-1"), ("film-12", "film-12"), ("o", "other")])
def test_whole_ids_and_unique_beginnings(runs: Runs, text: str, run_id: str) -> None:
    assert resolve(runs, text) == run_id


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("film", "film is the beginning of 3 runs: film-1, film-12, film-2$"),
        ("none", "no run none: `framebrush runs`"),
        ("../other", "'../other' is no run id"),
        ("", "'' is no run id"),
    ],
)
def test_anything_else_is_refused(runs: Runs, text: str, complaint: str) -> None:
    with pytest.raises(CommandFailed, match=complaint):
        resolve(runs, text)
