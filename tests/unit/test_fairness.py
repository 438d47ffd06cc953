"""A long run leaves room for others: its segments are handed out as those before them are scored."""

from collections import deque
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.budget import Budget, CountingStore, leave_out_pixels
from support.pipeline import Pipeline

from framebrush.contracts import (
    BatchReady,
    Failure,
    Incoming,
    Manifest,
    Message,
    PackReady,
    RunEncoded,
    SegmentPlanned,
    State,
)
from framebrush.errors import PermanentError
from framebrush_splitter.planner import window_of

GOLDEN = Path(__file__).parents[1] / "contract" / "golden" / "manifest.json"
SMALL = {"segment_frames": 10, "window_batches": 4}
"""The clip of 50 frames has five segments, of which two are in work at a time."""


def windowed(clip: Path, **settings: object) -> Pipeline:
    pipeline = Pipeline(**{**SMALL, **settings})
    pipeline.submit(pipeline.put("clip.mp4", clip.read_bytes()), batch_frames=5)
    return pipeline


def test_segments_follow_when_those_before_are_scored(clip: Path) -> None:
    pipeline = windowed(clip)
    most = 0
    while pipeline.waiting:
        pipeline.step()
        at_work = {m.segment for m in pipeline.waiting if isinstance(m, SegmentPlanned | PackReady | BatchReady)}
        most = max(most, len(at_work))
    assert pipeline.status().state is State.SUCCEEDED
    manifest = pipeline.manifest()
    assert (manifest.window, manifest.version, most) == (2, 4, 2)
    handled = [message.segment for message in pipeline.handled if isinstance(message, SegmentPlanned)]
    assert handled == list(range(len(manifest.segments)))


def test_the_output_is_the_same_in_whatever_order(clip: Path) -> None:
    free = windowed(clip, window_batches=1000)
    free.run()
    assert (free.manifest().window, free.manifest().version) == (None, 1)
    for seed in range(3):
        pipeline = windowed(clip, window_batches=1)
        pipeline.order = Random(seed).randrange
        assert pipeline.run().state is State.SUCCEEDED
        assert pipeline.output() == free.output()


def frames_before(window: int | None, monkeypatch: pytest.MonkeyPatch) -> int:
    """The frames of a run of 24,000 that are scored while another run of 48 frames waits for its end.

    Whatever the others do is done at once, and scorers take a batch at a time, the oldest first.
    """
    leave_out_pixels(monkeypatch)
    store = CountingStore()
    long = Budget(24_000, run_id="long", store=store, window=window)
    small, batches, scored = None, deque[BatchReady](), 0
    while True:
        for run in filter(None, (long, small)):
            while run.waiting:
                message = run.waiting.popleft()
                if isinstance(message, BatchReady):
                    batches.append(message)
                else:
                    run.handle(message)
        if small and not small.runs.active("small"):
            return scored
        batch = batches.popleft()
        run = small if small and batch.run_id == "small" else long
        run.handle(batch)
        if small is None:
            small = Budget(48, run_id="small", store=store)
        elif run is long:
            scored += batch.frames.count


def test_a_small_run_waits_for_a_window_of_a_long_one_not_for_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert frames_before(None, monkeypatch) > 23_000
    assert frames_before(5, monkeypatch) <= 5 * 120


def test_batches_that_are_lost_are_no_obstacle(clip: Path) -> None:
    pipeline = Pipeline(**SMALL)
    score, calls = pipeline.handlers["batches"], count()

    def sometimes(message: Incoming) -> Iterator[Message]:
        if next(calls) % 3 == 0:
            raise PermanentError("lost")
        return score(message)

    pipeline.handlers["batches"] = sometimes
    pipeline.submit(pipeline.put("clip.mp4", clip.read_bytes()), batch_frames=5, bad_frames="keep_original")
    assert pipeline.run().state is State.SUCCEEDED
    assert pipeline.dead
    assert pipeline.manifest().window == 2


@pytest.mark.parametrize("steps", [12, 30, 60, 10_000])
def test_a_run_that_was_reopened_has_its_window_again(clip: Path, steps: int) -> None:
    """It fails after so many messages, or when all but the join is done."""
    pipeline, free = windowed(clip), windowed(clip, window_batches=1000)
    free.run()
    for _ in range(steps):
        if isinstance(pipeline.waiting[0], RunEncoded):
            break
        pipeline.step()
    run_id = pipeline.manifest().run_id
    assert pipeline.runs.fail(run_id, Failure(reason="lost", description="by a test"))
    while pipeline.waiting:  # What is under way is passed over.
        pipeline.step()
    assert pipeline.status().state is State.FAILED
    pipeline.handled.clear()
    for message in pipeline.runs.reopen(run_id):
        pipeline.send(message)
    most, begun = 0, len({message.segment for message in pipeline.waiting if isinstance(message, SegmentPlanned)})
    while pipeline.waiting:
        pipeline.step()
        at_work = {m.segment for m in pipeline.waiting if isinstance(m, SegmentPlanned | PackReady | BatchReady)}
        most = max(most, len(at_work))
    assert pipeline.status().state is State.SUCCEEDED
    assert pipeline.output() == free.output()
    assert 1 <= begun <= 2 >= most


@given(st.lists(st.integers(1, 500), min_size=1, max_size=60), st.integers(1, 64), st.integers(1, 200))
def test_a_window_has_so_many_batches(counts: list[int], batch: int, batches: int) -> None:
    golden = Manifest.decode(GOLDEN.read_bytes())
    segment = golden.segments[0]
    segments = tuple(segment.model_copy(update={"frames": each}) for each in counts)
    window = window_of(golden.model_copy(update={"segments": segments, "batch_frames": batch}), batches)
    frames = batch * batches
    if window is None:
        assert len(counts) <= 2 or frames > sum(counts) * (len(counts) - 1) / len(counts)
    else:
        assert 2 <= window < len(counts)
        assert window * sum(counts) / len(counts) >= frames
        assert window == 2 or (window - 1) * sum(counts) / len(counts) < frames


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 3))
def test_every_segment_is_handed_out_once(segments: int, window: int, chunks: int) -> None:
    golden = Manifest.decode(GOLDEN.read_bytes())
    segment = golden.segments[0].model_copy(update={"frames": 16 * chunks})
    manifest = golden.model_copy(
        update={"segments": (segment,) * segments, "window": window, "chunk_frames": 16, "pack_frames": 16}
    )
    found = list(manifest.first_segments)
    found += [
        following
        for number, chunk in manifest.chunks
        if (following := manifest.segment_after(number, chunk)) is not None
    ]
    assert found == list(range(segments))
