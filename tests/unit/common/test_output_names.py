"""The names of outputs: no two runs share one, and nothing is replaced that is not the run's own."""

import io
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebrush.contracts import BlobRef, State, Status
from framebrush.errors import OutputTaken
from framebrush.runs import OUTPUT_OF, Outputs, Runs
from framebrush.storage import MemoryStore

NOW = datetime(2026, 11, 2, tzinfo=UTC)


def output(name: str) -> BlobRef:
    return BlobRef(container="output", name=name)


FILM = output("film.ink.mp4")


@pytest.fixture
def runs() -> Runs:
    return Runs(MemoryStore(), "work")


def begin(runs: Runs, run_id: str) -> str:
    source = BlobRef(container="input", name="film.mp4")
    runs.create(Status(run_id=run_id, state=State.RUNNING, created=NOW, updated=NOW, input=source, model="ink"))
    return run_id


NAMES = [
    *("film.mp4", "Film.mp4", "FILM.mp4", "a/film.mp4", "a./film.mp4", "a//film.mp4", "a\\film.mp4"),
    *("e\u0301.mp4", "\u00e9.mp4", "film.0123456789ab.mp4"),
]
names = st.sampled_from(NAMES)
run_ids = st.sampled_from(["x", "y-0123456789ab", "z-0123456789ab"])
requests = st.lists(st.tuples(run_ids, st.lists(names, min_size=1, max_size=3, unique=True), st.booleans()), max_size=8)


@given(requests, st.sets(names, max_size=2))
def test_two_runs_never_share_a_name(requests: list[tuple[str, list[str], bool]], foreign: set[str]) -> None:
    runs = Runs(MemoryStore(), "work")
    outputs, owners = Outputs(runs), dict[str, str]()
    for name in foreign:
        runs.store.write(output(name), b"foreign")
    planned = set[str]()
    for run_id, wanted, requested in requests:
        if run_id in planned:
            continue
        begin(runs, run_id)
        try:
            chosen = outputs.choose(run_id, [output(name) for name in wanted], requested=requested)
        except OutputTaken:
            continue
        planned.add(run_id)
        assert len(chosen) == len(wanted)
        assert not requested or [each.name for each in chosen] == wanted
        for each in chosen:
            assert each.name not in foreign
            assert owners.setdefault(each.name.casefold(), run_id) == run_id
    for name in foreign:
        assert runs.store.read(output(name)) == b"foreign"


def test_a_run_alone_has_the_plain_name_and_another_one_its_digits(runs: Runs) -> None:
    outputs = Outputs(runs)
    assert outputs.choose(begin(runs, "film-0123456789ab"), [FILM], requested=False) == (FILM,)
    assert outputs.choose(begin(runs, "film-ba9876543210"), [FILM], requested=False) == (
        output("film.ink.ba9876543210.mp4"),
    )
    assert outputs.choose("film-0123456789ab", [FILM], requested=False) == (FILM,)  # planned again


def test_the_outputs_of_a_run_are_alike(runs: Runs) -> None:
    outputs, other = Outputs(runs), output("film.oil.mp4")
    outputs.choose(begin(runs, "first"), [other], requested=True)
    names = [each.name for each in outputs.choose(begin(runs, "film-0123456789ab"), [FILM, other], requested=False)]
    assert names == ["film.ink.0123456789ab.mp4", "film.oil.0123456789ab.mp4"]
    assert outputs.choose(begin(runs, "third"), [FILM], requested=True) == (FILM,)  # it was let go again


def test_a_name_that_was_asked_for_is_refused_while_another_run_has_it(runs: Runs) -> None:
    outputs = Outputs(runs)
    outputs.choose(begin(runs, "first"), [FILM], requested=True)
    begin(runs, "second")
    with pytest.raises(OutputTaken, match=r"output/film\.ink\.mp4 belongs to the run first"):
        outputs.choose("second", [FILM], requested=True)
    outputs.write("first", FILM, io.BytesIO(b"first"))
    runs.end("first", State.SUCCEEDED)
    with pytest.raises(OutputTaken, match="the run first"):
        outputs.choose("second", [FILM], requested=True)
    runs.store.delete([FILM])
    assert outputs.choose("second", [FILM], requested=True) == (FILM,)


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_a_name_that_a_run_gave_up_can_be_asked_for(runs: Runs, state: State) -> None:
    outputs = Outputs(runs)
    outputs.choose(begin(runs, "first"), [FILM], requested=True)
    runs.end("first", state)
    assert outputs.choose(begin(runs, "second"), [FILM], requested=True) == (FILM,)
    with pytest.raises(OutputTaken, match="the run second"):
        outputs.claim("first", FILM)  # as when it is reopened


def test_a_blob_that_no_run_wrote_stays(runs: Runs) -> None:
    outputs = Outputs(runs)
    runs.store.write(FILM, b"foreign")
    with pytest.raises(OutputTaken, match="exists already, and no run's"):
        outputs.choose(begin(runs, "first"), [FILM], requested=True)
    assert outputs.choose(begin(runs, "film-0123456789ab"), [FILM], requested=False) != (FILM,)
    with pytest.raises(OutputTaken):
        outputs.write("first", FILM, io.BytesIO(b"mine"))
    assert runs.store.read(FILM) == b"foreign"


def test_an_output_is_written_once_and_names_its_run(runs: Runs) -> None:
    outputs = Outputs(runs)
    outputs.write("first", FILM, io.BytesIO(b"one"))
    etag = runs.store.stat(FILM).etag
    outputs.write("first", FILM, io.BytesIO(b"one"))
    info = runs.store.stat(FILM)
    assert (info.etag, info.metadata) == (etag, {OUTPUT_OF: "first"})
    with pytest.raises(OutputTaken, match="the run first"):
        outputs.write("second", FILM, io.BytesIO(b"two"))
    assert runs.store.read(FILM) == b"one"


def test_the_same_bytes_without_a_name_are_the_run_s_own(runs: Runs) -> None:
    runs.store.write(FILM, b"one")  # by a stitcher of version 0.1 that crashed before the run ended
    Outputs(runs).write("first", FILM, io.BytesIO(b"one"))
    for other in (b"on", b"one more", b"two"):
        with pytest.raises(OutputTaken):
            Outputs(runs).write("first", FILM, io.BytesIO(other))
