import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from framebrush.contracts import BlobRef, Failure, FrameRange, Manifest, Progress, State, Status
from framebrush.errors import BlobNotFound
from framebrush.runs import PAINTED, Meter, Runs, frames_of, measure, work_metadata
from framebrush.storage import MemoryStore

GOLDEN = Path(__file__).parents[2] / "contract" / "golden"
NOW = datetime(2026, 11, 2, tzinfo=UTC)


def first_status(run_id: str = "a", state: State = State.PLANNING) -> Status:
    source = BlobRef(container="input", name="a.mp4")
    return Status(run_id=run_id, state=state, created=NOW, updated=NOW, input=source, model="identity")


@pytest.fixture
def runs() -> Runs:
    return Runs(MemoryStore(), "work")


@pytest.fixture
def running(runs: Runs) -> Runs:
    runs.create(first_status(state=State.RUNNING).model_copy(update={"frames": 140}))
    runs.store.write(runs.blobs("a").manifest, (GOLDEN / "manifest.json").read_bytes())
    return runs


def together(count: int, function: Callable[[int], object]) -> list[object]:
    """Results of a function called by ``count`` threads at once."""
    start = threading.Barrier(count)

    def call(number: int) -> object:
        start.wait()
        return function(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def test_one_of_many_creates_a_run(runs: Runs) -> None:
    def create(number: int) -> bool:
        return runs.create(first_status().model_copy(update={"created": NOW + timedelta(microseconds=number)}))

    assert sorted(together(8, create)) == [False] * 7 + [True]


def test_one_of_many_ends_a_run(running: Runs) -> None:
    states = [State.SUCCEEDED, State.FAILED, State.CANCELLED]
    won = together(12, lambda number: running.end("a", states[number % 3], failed_frames=number))
    assert won.count(True) == 1
    status = running.status("a")
    assert status.failed_frames == won.index(True)
    assert status.state is states[won.index(True) % 3]


def counted_ends() -> dict[State, float]:
    name = "framebrush_runs_ended_total"
    return {state: REGISTRY.get_sample_value(name, {"state": state}) or 0.0 for state in State if state.ended}


def test_a_run_that_ends_counts_once(running: Runs) -> None:
    before, states = counted_ends(), [State.SUCCEEDED, State.FAILED]
    together(12, lambda number: running.end("a", states[number % 2]))
    running.fail("a", Failure(reason="late", description=""))
    after = counted_ends()
    ended = running.status("a").state
    assert {state: after[state] - before[state] for state in after} == dict.fromkeys(after, 0.0) | {ended: 1.0}


def test_a_run_that_is_created_as_failed_counts_and_one_that_begins_does_not(runs: Runs) -> None:
    before = counted_ends()
    runs.create(first_status("a"))
    runs.create(first_status("a", State.FAILED))  # exists
    assert counted_ends() == before
    runs.create(first_status("b", State.FAILED))
    assert counted_ends() == before | {State.FAILED: before[State.FAILED] + 1}


def test_a_run_that_is_opened_again_counts_again_when_it_ends(running: Runs) -> None:
    before = counted_ends()
    for _ in range(2):
        running.fail("a", Failure(reason="r", description=""))
        running.reopen("a")
    running.end("a", State.SUCCEEDED)
    assert counted_ends() == {
        State.FAILED: before[State.FAILED] + 2,
        State.SUCCEEDED: before[State.SUCCEEDED] + 1,
        State.CANCELLED: before[State.CANCELLED],
    }


def test_no_update_is_lost(running: Runs) -> None:
    def count(_: int) -> None:
        for _ in range(20):
            running.update("a", lambda status: status.model_copy(update={"failed_frames": status.failed_frames + 1}))

    together(6, count)
    assert running.status("a").failed_frames == 120


def test_an_update_that_changes_nothing_writes_nothing(running: Runs) -> None:
    etag = running.store.stat(running.blobs("a").status).etag
    running.update("a", lambda status: None)
    running.update("a", lambda status: status)
    assert running.store.stat(running.blobs("a").status).etag == etag


def test_an_update_tells_when(running: Runs) -> None:
    before = datetime.now(UTC)
    running.update("a", lambda status: status.model_copy(update={"frames": 7}))
    assert running.status("a").updated >= before


def test_a_run_that_has_ended_stays_as_it_ended(running: Runs) -> None:
    running.end("a", State.SUCCEEDED)
    ended = running.status("a")
    assert not running.fail("a", Failure(reason="late", description=""))
    running.update("a", lambda status: status.model_copy(update={"progress": Progress(split=9)}))
    assert running.status("a") == ended


def test_a_failed_run_says_why_and_can_be_opened_again(running: Runs) -> None:
    failure = Failure(reason="frame_failed", description="frame 3")
    assert running.fail("a", failure)
    assert running.status("a").error == failure
    assert not running.active("a")
    resumed = running.reopen("a")
    status = running.status("a")
    assert (status.state, status.generation, status.error, status.ended) == (State.RUNNING, 1, None, None)
    assert [(message.segment, message.generation) for message in resumed] == [
        (segment, 1) for segment in range(len(running.manifest("a").segments))
    ]
    assert running.reopen("a") == resumed
    assert running.fail("a", failure)


def test_a_run_that_failed_before_it_was_planned_is_planned_again(runs: Runs) -> None:
    runs.create(first_status())
    runs.fail("a", Failure(reason="blob_not_found", description=""))
    assert runs.reopen("a") == []
    assert runs.status("a").state is State.PLANNING


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.CANCELLED])
def test_only_failed_runs_are_opened_again(running: Runs, state: State) -> None:
    running.end("a", state)
    assert running.reopen("a") == []
    assert running.status("a").state is state


def test_of_two_who_open_a_run_again_one_writes_and_both_get_its_messages(running: Runs) -> None:
    running.fail("a", Failure(reason="r", description=""))

    class Racing(MemoryStore):
        def __init__(self, inner: Runs) -> None:
            self.__dict__ = inner.store.__dict__

        def read(self, ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
            data = super().read(ref, start, length, etag=etag)
            running.reopen("a")
            return data

    messages = Runs(Racing(running), "work").reopen("a")
    assert {message.generation for message in messages} == {1}
    assert running.reopen("a") == messages
    assert (running.status("a").state, running.status("a").generation) == (State.RUNNING, 1)


def test_a_run_that_does_not_exist(runs: Runs) -> None:
    assert not runs.active("a")
    for ask in (runs.status, runs.manifest, runs.reopen):
        with pytest.raises(BlobNotFound, match=r"work/(runs|status)/a"):
            ask("a")
    with pytest.raises(BlobNotFound):
        runs.end("a", State.FAILED)


def test_ids_lists_all_runs_with_their_states(running: Runs) -> None:
    running.create(first_status("b"))
    running.create(first_status("c"))
    running.end("c", State.CANCELLED)
    running.store.write(running.blobs("d").manifest, b"no status, no run")
    assert list(running.ids()) == [("a", State.RUNNING), ("b", State.PLANNING), ("c", State.CANCELLED)]


def test_measure_counts_what_is_in_blob(runs: Runs) -> None:
    manifest = Manifest.decode((GOLDEN / "manifest.json").read_bytes())
    blobs = runs.blobs(manifest.run_id)
    runs.store.write(blobs.manifest, manifest.encode())
    assert measure(runs, manifest.run_id) == (Progress(), {})

    def wrote(ref: BlobRef, begin: int, seconds: int) -> None:
        started, ended = NOW + timedelta(seconds=begin), NOW + timedelta(seconds=begin + seconds)
        runs.store.write(ref, b"", metadata={"started": started.isoformat(), "ended": ended.isoformat()})

    wrote(blobs.pack(0, FrameRange(first=0, count=16)), 0, 2)
    wrote(blobs.pack(1, FrameRange(first=0, count=9)), 1, 3)
    wrote(blobs.styled(0, FrameRange(first=0, count=2)), 3, 1)
    wrote(blobs.encoded(1), 10, 5)
    runs.store.write(blobs.timeline(0), b"")
    runs.store.write(blobs.encoded_report(1), b"")
    progress, stages = measure(runs, manifest.run_id)
    assert progress == Progress(split=25, scored=2, encoded=manifest.segments[1].frames)
    assert (stages["split"].started, stages["split"].ended) == (NOW, NOW + timedelta(seconds=4))
    assert {name: stage.busy for name, stage in stages.items()} == {"split": 5, "scored": 1, "encoded": 5}


def test_a_frame_is_past_a_stage_when_its_last_rendition_is(runs: Runs) -> None:
    manifest = Manifest.decode((GOLDEN / "manifest.json").read_bytes())
    options = manifest.options.model_copy(update={"more_models": ("ink", "oil")})
    manifest = manifest.model_copy(update={"options": options, "more_outputs": (manifest.output,) * 2})
    blobs, frames = runs.blobs(manifest.run_id), FrameRange(first=0, count=2)
    runs.store.write(blobs.manifest, manifest.encode())
    for number in range(3):
        assert measure(runs, manifest.run_id)[0] == Progress()
        for ref in (blobs.styled(0, frames, number), blobs.encoded(0, number)):
            runs.store.write(ref, b"", metadata=work_metadata(NOW))
    assert measure(runs, manifest.run_id)[0] == Progress(scored=2, encoded=manifest.segments[0].frames)


def test_a_mark_counts_until_the_styled_pack_exists(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = Manifest.decode((GOLDEN / "manifest.json").read_bytes())
    blobs, frames, meter = runs.blobs(manifest.run_id), FrameRange(first=0, count=2), Meter(runs)
    runs.store.write(blobs.manifest, manifest.encode())
    monkeypatch.setattr("framebrush.runs.progress.MARKS", 0.0)
    runs.store.write(blobs.mark(0, frames), b"", metadata={PAINTED: "1"})
    assert meter.measure(manifest.run_id) == (Progress(scored=1), {})
    assert meter.begun == 1
    runs.store.write(blobs.styled(0, frames), b"", metadata=work_metadata(NOW))
    for painted in ("1", "2"):  # It is written once more, by a pod that was frozen.
        assert meter.measure(manifest.run_id)[0] == measure(runs, manifest.run_id)[0] == Progress(scored=2)
        assert meter.begun == 0
        runs.store.write(blobs.mark(0, frames), b"", metadata={PAINTED: painted})


def test_marks_are_listed_from_time_to_time(runs: Runs) -> None:
    manifest = Manifest.decode((GOLDEN / "manifest.json").read_bytes())
    blobs, meter = runs.blobs(manifest.run_id), Meter(runs)
    runs.store.write(blobs.manifest, manifest.encode())
    assert meter.measure(manifest.run_id)[0] == Progress()
    runs.store.write(blobs.mark(0, FrameRange(first=0, count=2)), b"", metadata={PAINTED: "1"})
    assert meter.measure(manifest.run_id)[0] == Progress()
    meter.forget({})
    assert meter.measure(manifest.run_id)[0] == Progress(scored=1)


def test_names_tell_the_frames(runs: Runs) -> None:
    frames = FrameRange(first=123456, count=7)
    for ref in (runs.blobs("a").pack(3, frames), runs.blobs("a").styled(3, frames)):
        assert frames_of(ref) == frames
        assert "/000003/00123456-07" in ref.name
    with pytest.raises(ValueError, match=r"work/runs/a/manifest\.json is not a pack"):
        frames_of(runs.blobs("a").manifest)


def test_intermediates_are_frames_and_segments_but_no_documents(runs: Runs) -> None:
    blobs, frames = runs.blobs("a"), FrameRange(first=0, count=1)
    renditions = [ref for n in (0, 7) for ref in (blobs.styled(0, frames, n), blobs.encoded(0, n))]
    for ref in (blobs.pack(0, frames), blobs.mark(0, frames), *renditions):
        assert ref.name.startswith(blobs.intermediate_prefixes)
    for ref in (blobs.manifest, blobs.status, blobs.report, blobs.timeline(0), blobs.encoded_report(0)):
        assert not ref.name.startswith(blobs.intermediate_prefixes)


def test_work_metadata_tells_begin_and_end() -> None:
    metadata = work_metadata(NOW)
    assert datetime.fromisoformat(metadata["started"]) == NOW
    assert datetime.fromisoformat(metadata["ended"]) > NOW
