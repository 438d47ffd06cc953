"""What the tracker tells of the runs, and what it asks of storage for it."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from framebrush.contracts import BlobRef, Failure, FrameRange, State, Status
from framebrush.runs import Runs, work_metadata
from framebrush.storage import MemoryStore
from framebrush_dispatcher import tracker as module
from framebrush_dispatcher.tracker import Tracker

MANIFEST = Path(__file__).parents[2] / "contract" / "golden" / "manifest.json"
LONG_AGO = datetime(2026, 11, 2, tzinfo=UTC)


class Counting(MemoryStore):
    """A store that counts reads and listings."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = Counter[str]()

    def read(self, ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
        self.calls[ref.name] += 1
        return super().read(ref, start, length, etag=etag)


@pytest.fixture
def runs() -> Runs:
    return Runs(Counting(), "work")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the tracker takes for the time: set ``clock[0]``."""
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def add(runs: Runs, run_id: str, state: State, updated: datetime = LONG_AGO) -> None:
    source = BlobRef(container="input", name="a.mp4")
    status = Status(run_id=run_id, state=state, created=updated, updated=updated, input=source, model="identity")
    runs.create(status)
    runs.store.write(runs.blobs(run_id).manifest, MANIFEST.read_bytes())


def active() -> dict[str, float]:
    states = (State.PLANNING, State.RUNNING)
    return {state: REGISTRY.get_sample_value("framebrush_runs_active", {"state": state}) or 0.0 for state in states}


def oldest() -> datetime:
    value = REGISTRY.get_sample_value("framebrush_oldest_progress_timestamp_seconds")
    assert value is not None
    return datetime.fromtimestamp(value, UTC)


def styled(runs: Runs, run_id: str) -> None:
    ref = runs.blobs(run_id).styled(0, FrameRange(first=0, count=8))
    runs.store.write(ref, b"", metadata=work_metadata(datetime.now(UTC)))


def test_it_counts_the_runs_that_have_not_ended(runs: Runs) -> None:
    for number, state in enumerate([*State, State.RUNNING, State.PLANNING, State.RUNNING]):
        add(runs, f"r{number}", state)
    Tracker(runs)()
    assert active() == {State.PLANNING: 2, State.RUNNING: 3}


def test_a_run_that_ends_is_not_counted_any_more(runs: Runs) -> None:
    for run_id in "ab":
        add(runs, run_id, State.RUNNING)
    tracker = Tracker(runs)
    tracker()
    runs.fail("a", Failure(reason="r", description=""))
    eventually_due(tracker)
    assert active() == {State.PLANNING: 0, State.RUNNING: 1}


def test_a_new_dispatcher_knows_of_no_run_and_of_no_delay() -> None:
    before = datetime.now(UTC)
    Tracker(Runs(MemoryStore(), "work"))
    assert active() == {State.PLANNING: 0, State.RUNNING: 0}
    assert oldest() >= before - timedelta(seconds=1)


@pytest.mark.parametrize("state", [State.PLANNING, State.RUNNING])
def test_the_run_that_waits_longest_counts(runs: Runs, state: State) -> None:
    add(runs, "old", state, LONG_AGO)
    add(runs, "older-but-over", State.SUCCEEDED, LONG_AGO - timedelta(days=1))
    add(runs, "new", State.RUNNING, LONG_AGO + timedelta(hours=1))
    Tracker(runs)()
    assert oldest() == LONG_AGO


def test_progress_is_when_frames_were_finished_last(runs: Runs) -> None:
    add(runs, "a", State.RUNNING)
    tracker, before = Tracker(runs), datetime.now(UTC)
    styled(runs, "a")
    tracker()
    assert before <= oldest() <= datetime.now(UTC)
    seen = oldest()
    eventually_due(tracker)
    assert abs(oldest() - seen) < timedelta(milliseconds=1), "nothing was finished since"


def test_with_no_run_the_present_counts(runs: Runs) -> None:
    add(runs, "a", State.SUCCEEDED)
    before = datetime.now(UTC)
    Tracker(runs)()
    assert oldest() >= before - timedelta(seconds=1)


def test_a_look_reads_a_status_once_and_none_of_runs_that_are_over(runs: Runs) -> None:
    for number, state in enumerate([State.PLANNING] * 3 + [State.RUNNING] * 3 + [State.SUCCEEDED] * 50):
        add(runs, f"r{number}", state)
    assert isinstance(runs.store, Counting)
    tracker = Tracker(runs)
    tracker()  # it reads plans, which never change, and looks at all runs once
    runs.store.calls.clear()
    eventually_due(tracker)
    assert runs.store.calls == {f"status/r{number}.json": 1 for number in range(6)}


def unreadable() -> float:
    return REGISTRY.get_sample_value("framebrush_runs_unreadable") or 0.0


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"version": 2}', b"[" * 9999])
def test_a_status_that_cannot_be_decoded_costs_its_run_only(
    runs: Runs, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for run_id in "abc":
        add(runs, run_id, State.RUNNING)
        styled(runs, run_id)
    runs.store.write(runs.blobs("b").status, content, metadata={"state": State.RUNNING})
    tracker = Tracker(runs)
    for _ in range(3):
        eventually_due(tracker)
    assert [runs.status(run_id).progress.scored for run_id in "ac"] == [8, 8]
    assert (active()[State.RUNNING], unreadable()) == (2, 1)
    assert caplog.text.count("InvalidMessage: Status: ") == 1, "said once"
    runs.store.write(runs.blobs("b").status, b'"text"', metadata={"state": State.RUNNING})
    eventually_due(tracker)
    assert caplog.text.count("InvalidMessage: Status: ") == 2, "said anew when it changes"
    runs.store.delete([runs.blobs("b").status])
    eventually_due(tracker)
    assert unreadable() == 0


def test_a_blob_of_a_run_that_nobody_wrote_costs_its_run_only(runs: Runs) -> None:
    for run_id in "ab":
        add(runs, run_id, State.RUNNING)
        styled(runs, run_id)
    ref = runs.blobs("a").styled(0, FrameRange(first=8, count=8))
    runs.store.write(ref, b"", metadata={"started": "yesterday"})
    Tracker(runs)()
    assert runs.status("b").progress.scored == 8
    assert unreadable() == 1


@pytest.mark.parametrize("metadata", [{}, {"state": "paused"}])
def test_a_status_whose_state_stands_in_the_document_only_is_tracked(runs: Runs, metadata: dict[str, str]) -> None:
    for run_id, state in (("a", State.RUNNING), ("b", State.SUCCEEDED)):
        add(runs, run_id, state)
        styled(runs, run_id)
        runs.store.write(runs.blobs(run_id).status, runs.status(run_id).encode(), metadata=metadata)
    assert list(runs.ids()) == [("a", None), ("b", None)]
    Tracker(runs)()
    assert runs.status("a").progress.scored == 8
    assert (active()[State.RUNNING], unreadable()) == (1, 0)


def test_it_spends_a_tenth_of_the_time_on_looking(runs: Runs, clock: list[float]) -> None:
    add(runs, "a", State.PLANNING)
    assert isinstance(runs.store, Counting)
    tracker, inner = Tracker(runs), runs.store.list

    def slow(container: str, prefix: str = "") -> object:
        clock[0] += 2.0
        return inner(container, prefix)

    tracker()  # it looks at all runs once
    runs.store.list = slow  # type: ignore[method-assign, assignment]
    eventually_due(tracker)
    looks = runs.store.calls["status/a.json"]
    clock[0] += 17.9
    tracker()
    assert runs.store.calls["status/a.json"] == looks
    clock[0] += 0.2
    tracker()
    assert runs.store.calls["status/a.json"] == looks + 1


def listings(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The prefixes of the listings from now on."""
    found, inner = list[str](), runs.store.list

    def noted(container: str, prefix: str = "") -> object:
        found.append(prefix)
        return inner(container, prefix)

    monkeypatch.setattr(runs.store, "list", noted)
    return found


def test_runs_that_ended_long_ago_cost_nothing(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(50):
        add(runs, f"over-{number}", State.RUNNING)
        runs.end(f"over-{number}", State.SUCCEEDED)
    add(runs, "now", State.PLANNING)
    tracker = Tracker(runs)
    tracker()
    asked = listings(runs, monkeypatch)
    for _ in range(3):
        eventually_due(tracker)
    assert asked == ["active/"] * 3
    assert list(runs.listed()) == ["now"]


@pytest.mark.parametrize("state", [State.PLANNING, State.RUNNING])
def test_a_run_that_the_index_does_not_name_is_found_by_a_sweep(runs: Runs, clock: list[float], state: State) -> None:
    tracker = Tracker(runs)
    tracker()
    add(runs, "a", state)
    runs.store.delete([runs.blobs("a").active])
    clock[0] += module.SWEEP - 1
    tracker()
    assert active()[state] == 0
    clock[0] += 1
    tracker()
    assert active()[state] == 1
    assert list(runs.listed()) == ["a"]


def test_a_name_that_a_crash_left_in_the_index_is_taken_away(runs: Runs) -> None:
    add(runs, "a", State.RUNNING)
    runs.end("a", State.FAILED)
    runs.list_active("a")
    runs.list_active("nobody")
    Tracker(runs)()
    assert active()[State.RUNNING] == 0
    assert list(runs.listed()) == ["nobody"], "it may be about to begin"


def test_a_run_that_was_deleted_leaves_the_index(runs: Runs, clock: list[float]) -> None:
    add(runs, "a", State.RUNNING)
    runs.store.delete([runs.blobs("a").status])
    tracker = Tracker(runs)
    tracker()
    clock[0] += module.SWEEP - 1
    tracker()
    assert list(runs.listed()) == ["a"], "it may be about to begin"
    clock[0] += 1
    tracker()
    assert list(runs.listed()) == []


def test_a_run_that_is_reopened_while_it_is_taken_out_of_the_index_stays_in_it(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(runs, "a", State.RUNNING)
    runs.update("a", lambda status: status.model_copy(update={"frames": 16}))
    runs.fail("a", Failure(reason="r", description=""))
    runs.list_active("a")
    delete = runs.store.delete

    def reopened_before(refs: Iterable[BlobRef]) -> None:
        monkeypatch.undo()
        runs.reopen("a")
        delete(refs)

    monkeypatch.setattr(runs.store, "delete", reopened_before)
    Tracker(runs)()
    assert list(runs.listed()) == ["a"]


def eventually_due(tracker: Tracker) -> None:
    """The next look, without the wait for it."""
    tracker._due = 0.0
    tracker()
