from collections.abc import Callable
from datetime import timedelta

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


FILM = ["my-film-0123456789ab", "my-film-ba9876543210", "my-film-000000000000"]


@pytest.fixture
def of_a_film(runs: Runs, make_status: Callable[[str], Status]) -> None:
    for number, run_id in enumerate([*FILM, "my-film-trailer-0123456789ab"]):
        status = make_status(run_id)
        runs.create(status.model_copy(update={"created": status.created + timedelta(hours=number % 3)}))


@pytest.mark.usefixtures("of_a_film")
@pytest.mark.parametrize("text", ["my film.mp4", "My Film.MP4", "./my film.mp4", "Mÿ film.mov"])
def test_a_film_stands_for_its_newest_run(runs: Runs, text: str) -> None:
    assert resolve(runs, text) == FILM[2]


@pytest.mark.usefixtures("of_a_film")
def test_what_ends_a_run_asks_for_the_run(runs: Runs) -> None:
    with pytest.raises(CommandFailed, match="no film that has runs"):
        resolve(runs, "my film.mp4", newest=False)
