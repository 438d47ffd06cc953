"""What runs may cost: the pixels of one, and the number of those that are open."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.pipeline import Pipeline

from framebrush.contracts import BlobRef, RunRequest, State, Status, Trigger
from framebrush.errors import LimitExceeded

FULL = "^as many runs of the container {} are open as may be, {}: .* when one has ended, or raise .*_MAX_OPEN_RUNS$"


@pytest.fixture
def film(video: Callable[..., Path]) -> bytes:
    return video("film.mp4", pts=range(0, 12 * 512, 512), gop=3, audio=None).read_bytes()


def plan(pipeline: Pipeline, run_id: str, container: str = "input") -> int:
    """Plan a run of its own film; how many segments it has."""
    request = RunRequest(run_id=run_id, input=BlobRef(container=container, name=f"{run_id}.mp4"))
    return len(list(pipeline.handlers["triggers"](Trigger(requests=(request,)))))


def with_films(film: bytes, **settings: Any) -> Pipeline:
    pipeline = Pipeline(segment_frames=3, **settings)
    for name in "abcd":
        pipeline.put(f"{name}.mp4", film)
    return pipeline


def created(pipeline: Pipeline, run_id: str, state: State, second: int) -> None:
    """Write the status that a splitter wrote at a second of a minute that is over."""
    when = datetime.now(UTC).replace(second=second, microsecond=0) - timedelta(minutes=2)
    source = BlobRef(container="input", name=f"{run_id}.mp4")
    status = Status(run_id=run_id, state=state, created=when, updated=when, input=source, model="identity")
    pipeline.runs.create(status)


@pytest.mark.parametrize(
    ("scale", "pixels", "brush"), [(0.5, 147_456, " with a brush of 0.5"), (1.0, 36_864, ""), (2.0, 36_864, "")]
)
def test_a_finer_brush_paints_more(film: bytes, scale: float, pixels: int, brush: str) -> None:
    """12 frames of 64x48. A brush of half the size paints on a picture of twice the width and height."""
    pipeline = Pipeline(max_run_pixels=pixels)
    pipeline.submit(pipeline.put("film.mp4", film), "enough", scale=scale)
    assert pipeline.run().state is State.SUCCEEDED
    pipeline = Pipeline(max_run_pixels=pixels - 1)
    pipeline.submit(pipeline.put("film.mp4", film), "more", scale=scale)
    status = pipeline.run()
    assert status.state is State.FAILED
    assert status.error is not None
    assert status.error.reason == "limit_exceeded"
    assert status.error.description == (
        f"12 frames of 64x48 by 1 models{brush} have {pixels} pixels, more than {pixels - 1}: "
        "if that is wanted, raise FRAMEBRUSH_MAX_RUN_PIXELS"
    )
    assert not [each for each in pipeline.handled if each.queue in ("splits", "batches")], "nothing is paid"


def test_a_run_too_many_is_refused_until_one_has_ended(film: bytes) -> None:
    pipeline = with_films(film, max_open_runs=2)
    assert [plan(pipeline, "a"), plan(pipeline, "b")] == [4, 4]
    with pytest.raises(LimitExceeded, match=FULL.format("input", 2)):
        plan(pipeline, "c")
    assert plan(pipeline, "a") == 4, "a run that is planned goes on, however often its message comes"
    pipeline.runs.end("a", State.SUCCEEDED)
    assert plan(pipeline, "c") == 4


def test_a_refused_run_has_failed_and_can_be_replayed(film: bytes) -> None:
    pipeline = with_films(film, max_open_runs=1)
    assert plan(pipeline, "a") == 4
    pipeline.submit(BlobRef(container="input", name="b.mp4"), "b")
    while pipeline.waiting:
        pipeline.step()
    assert [type(error) for _, error in pipeline.dead] == [LimitExceeded]
    refused = pipeline.runs.status("b")
    assert (refused.state, refused.frames) == (State.FAILED, 0)
    assert refused.error is not None
    assert refused.error.reason == "limit_exceeded"
    pipeline.runs.end("a", State.CANCELLED)
    assert pipeline.runs.reopen("b") == []  # as `framebrush dlq replay` does
    assert plan(pipeline, "b") == 4


def test_each_container_has_runs_of_its_own(film: bytes) -> None:
    pipeline = with_films(film, max_open_runs=1, more_inputs="films")
    pipeline.store.write(BlobRef(container="films", name="c.mp4"), film)
    assert [plan(pipeline, "a"), plan(pipeline, "c", "films")] == [4, 4]
    for run_id, container in [("b", "input"), ("d", "films")]:
        pipeline.store.write(BlobRef(container=container, name=f"{run_id}.mp4"), film)
        with pytest.raises(LimitExceeded, match=FULL.format(container, 1)):
            plan(pipeline, run_id, container)


def test_of_runs_that_come_at_once_the_first_are_let_in(film: bytes) -> None:
    """Three runs are being planned, by three splitters."""
    pipeline = with_films(film, max_open_runs=2)
    for second, run_id in enumerate("cab"):
        created(pipeline, run_id, State.PLANNING, second)
    with pytest.raises(LimitExceeded, match=FULL.format("input", 2)):
        plan(pipeline, "b")
    assert [plan(pipeline, "a"), plan(pipeline, "c")] == [4, 4]
    with pytest.raises(LimitExceeded, match=FULL.format("input", 2)):
        plan(pipeline, "b")


def test_a_run_that_is_running_counts_although_it_came_later(film: bytes) -> None:
    """The first one's splitter died while it planned, and the message waited for its lock to run out."""
    pipeline = with_films(film, max_open_runs=1)
    created(pipeline, "a", State.PLANNING, 0)
    created(pipeline, "b", State.RUNNING, 1)
    with pytest.raises(LimitExceeded, match=FULL.format("input", 1)):
        plan(pipeline, "a")


def test_what_cannot_be_read_is_in_nobodys_way(film: bytes) -> None:
    pipeline = with_films(film, max_open_runs=1)
    pipeline.runs.list_active("nobody")
    pipeline.runs.list_active("torn")
    pipeline.store.write(pipeline.runs.blobs("torn").status, b"{")
    assert plan(pipeline, "a") == 4


def test_by_default_any_number_is_open(film: bytes) -> None:
    pipeline = with_films(film)
    assert [plan(pipeline, run_id) for run_id in "abcd"] == [4] * 4
