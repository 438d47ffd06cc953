"""Conditions that storage refuses although they hold: what is there decides what becomes of them."""

from datetime import UTC, datetime

import pytest
from support.conditions import Refusing, times

from framebrush.contracts import BlobRef, State, Status
from framebrush.errors import InputChanged, Unavailable
from framebrush.runs import Runs
from framebrush.storage import BlobReader, write_once

NOW = datetime(2026, 11, 2, tzinfo=UTC)
REF = BlobRef(container="work", name="a")
FIRST = Status(
    run_id="a", state=State.RUNNING, created=NOW, updated=NOW, model="identity",
    input=BlobRef(container="input", name="a.mp4"),
)  # fmt: skip
ALWAYS = 10**6


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def existing(store: Refusing) -> Runs:
    """A run whose status exists, before storage begins to refuse."""
    refuses, store.refuses = store.refuses, lambda method, ref: False
    runs = Runs(store, "work")
    assert runs.create(FIRST)
    store.refuses = refuses
    return runs


@pytest.mark.parametrize("effect", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_a_run_is_created_although_storage_refused(count: int, effect: bool) -> None:
    runs = Runs(Refusing(times(count), effect=effect), "work")
    assert runs.create(FIRST)
    assert runs.active("a")


def test_a_run_that_cannot_be_created_is_no_run_that_exists() -> None:
    with pytest.raises(Unavailable, match=r"status/a\.json.*12 attempts"):
        Runs(Refusing(times(ALWAYS)), "work").create(FIRST)


@pytest.mark.parametrize("effect", [False, True])
def test_a_run_ends_although_storage_refused(effect: bool) -> None:
    runs = existing(Refusing(times(2), effect=effect))
    assert runs.end("a", State.SUCCEEDED, failed_frames=3)
    status = runs.status("a")
    assert (status.state, status.failed_frames) == (State.SUCCEEDED, 3)
    assert not runs.end("a", State.FAILED)


@pytest.mark.parametrize("method", ["read", "write"])
def test_an_update_comes_to_an_end(method: str) -> None:
    runs = existing(Refusing(times(ALWAYS, method)))
    with pytest.raises(Unavailable, match="lease"):
        runs.end("a", State.FAILED)
    assert runs.active("a")


@pytest.mark.parametrize("effect", [False, True])
def test_a_run_is_reopened_although_storage_refused(effect: bool) -> None:
    store = Refusing(lambda method, ref: False, effect=effect)
    runs = existing(store)
    runs.end("a", State.FAILED)
    store.refuses = times(1)
    assert runs.reopen("a") == []
    assert (runs.status("a").state, runs.status("a").generation) == (State.PLANNING, 1)


def test_what_is_written_once_is_there_or_storage_is_away() -> None:
    store = Refusing(times(1))
    with pytest.raises(Unavailable, match="work/a"):
        write_once(store, REF, b"one")
    assert write_once(store, REF, b"two")
    assert not write_once(store, REF, b"three")
    assert store.read(REF) == b"two"


def test_an_input_that_is_the_same_has_not_changed() -> None:
    store = Refusing(times(1, "read"))
    reader = BlobReader(store, REF, 3, store.write(REF, b"one"))
    with pytest.raises(Unavailable, match="still there"):
        reader.read()
    assert reader.read() == b"one"
    store.write(REF, b"two")
    with pytest.raises(InputChanged):
        BlobReader(store, REF, 3, '"another"').read()
