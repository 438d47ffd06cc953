"""Pods that are frozen in the middle of a step and go on when others have done their work, and steps that come late."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from support.conditions import Refusing, each_once
from support.pipeline import Pipeline

from framebrush.contracts import BatchReady, BlobRef, ItemFailed, Message, SegmentPlanned, State
from framebrush.errors import LockLost
from framebrush.storage import BlobInfo, MemoryStore

STEPS = [
    ("run_request", "work/outputs/"),
    ("run_request", "/manifest.json"),
    ("segment_planned", "/frames/"),
    ("segment_planned", "/timelines/"),
    ("batch_ready", "/styled/"),
    ("batch_ready", "/styled.1/"),
    ("segment_scored", "/reports/"),
    ("segment_scored", "/encoded/"),
    ("run_encoded", "film.identity.mp4"),
    ("run_encoded", "timings.json"),
    ("run_encoded", "report.html"),
    ("run_encoded", "report.json"),
]
"""A message, and the blob before whose write the pod is frozen."""


@pytest.fixture
def film(video: Callable[..., Path]) -> bytes:
    return video("film.mp4", pts=range(0, 4 * 512, 512), gop=4, audio=None).read_bytes()


def pipeline_of(film: bytes, store: MemoryStore | None = None, **options: Any) -> Pipeline:
    pipeline = Pipeline(store=store, segment_frames=4, stitcher={"report_page": True})
    ref = pipeline.put("film.mp4", film)
    pipeline.submit(ref, run_id="film", preset="ultrafast", batch_frames=4, **options)
    return pipeline


def blobs(store: MemoryStore, *containers: str) -> dict[str, BlobInfo]:
    return {str(blob.ref): blob for container in containers for blob in store.list(container)}


def frames_left(pipeline: Pipeline) -> list[str]:
    return [name for name in blobs(pipeline.store, "work") if pipeline.runs.blobs("film").prefix in name and
            any(kind in name for kind in ("/frames", "/styled", "/encoded"))]  # fmt: skip


class Frozen:
    """Lets another pipeline do all the work before a write goes on."""

    def __init__(self, pipeline: Pipeline, message: Message, name: str, *, then: BaseException | None = None) -> None:
        self.pipeline, self.message, self.name, self.then = pipeline, message, name, then
        self.before, self.thawed = dict[str, BlobInfo](), False
        self.write = pipeline.store.write

    def __call__(self, ref: BlobRef, data: Any, **conditions: Any) -> str:
        if self.before or self.name not in str(ref):
            return self.write(ref, data, **conditions)
        others = Pipeline(store=self.pipeline.store, segment_frames=4, stitcher={"report_page": True})
        self.before = {"": self.pipeline.store.stat(self.pipeline.runs.blobs("film").status)}
        others.waiting.extend([self.message, *self.pipeline.waiting])
        assert others.run().state is State.SUCCEEDED
        assert others.dead == []
        self.before, self.thawed = blobs(self.pipeline.store, "work", "output"), True
        try:
            return self.write(ref, data, **conditions)
        finally:
            if self.then is not None:
                raise self.then


@pytest.mark.parametrize("then", [None, LockLost()], ids=["it goes on", "its lock is lost"])
@pytest.mark.parametrize(("kind", "name"), STEPS)
def test_a_frozen_pod_changes_nothing_and_leaves_nothing(
    film: bytes, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, then: BaseException | None
) -> None:
    pipeline = pipeline_of(film, more_models=("ink",))
    while (message := pipeline.waiting[0]).model_dump()["kind"] != kind:
        pipeline.step()
    frozen = Frozen(pipeline, message, name, then=then)
    monkeypatch.setattr(pipeline.store, "write", frozen)
    try:
        pipeline.step()
    except LockLost:
        assert then is not None
    else:
        assert then is None
    assert_nothing_changed(pipeline, frozen)


@pytest.mark.parametrize("method", ["list", "delete"])
def test_a_frozen_pod_that_loses_its_lock_while_it_clears_up_leaves_nothing(
    film: bytes, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    pipeline = pipeline_of(film)
    while not isinstance(message := pipeline.waiting[0], BatchReady):
        pipeline.step()
    frozen, original, raised = Frozen(pipeline, message, "/styled/"), getattr(pipeline.store, method), list[LockLost]()

    def lose_the_lock_once(*arguments: Any, **options: Any) -> Any:
        if frozen.thawed and not raised:
            raised.append(LockLost())
            raise raised[0]
        return original(*arguments, **options)

    monkeypatch.setattr(pipeline.store, "write", frozen)
    monkeypatch.setattr(pipeline.store, method, lose_the_lock_once)
    with pytest.raises(LockLost):
        pipeline.step()
    assert raised
    assert_nothing_changed(pipeline, frozen)


def assert_nothing_changed(pipeline: Pipeline, frozen: Frozen) -> None:
    assert frozen.before
    assert frames_left(pipeline) == []
    after = blobs(pipeline.store, "work", "output")
    assert {name: info.etag for name, info in after.items()} == {
        name: info.etag for name, info in frozen.before.items()
    }
    assert pipeline.dead == []
    assert pipeline.run().state is State.SUCCEEDED  # what it has said is passed over


def test_a_frozen_dispatcher_that_replaces_a_lost_batch_leaves_nothing(
    film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = pipeline_of(film, bad_frames="keep_original")
    while not isinstance(batch := pipeline.waiting[0], BatchReady):
        pipeline.step()
    pipeline.waiting[0] = lost = ItemFailed(
        run_id="film", source="batches", item=batch.message_id, reason="model_failed", description="no memory",
        body=batch.encode().decode(),
    )  # fmt: skip
    frozen = Frozen(pipeline, lost, "/styled/")
    monkeypatch.setattr(pipeline.store, "write", frozen)
    pipeline.step()
    assert frozen.before
    assert pipeline.status().failed_frames == 4
    assert frames_left(pipeline) == []


def test_messages_of_a_run_that_was_cleared_up_remove_what_they_would_make(film: bytes) -> None:
    pipeline = pipeline_of(film)
    assert pipeline.run().state is State.SUCCEEDED
    late = list(pipeline.handled)
    for kind, name in (
        ("frames", "frames/000000/00000000-04.tar"), ("styled", "styled/000000/00000000-04.tar"),
        ("encoded", "encoded/000000.nut"),
    ):  # fmt: skip
        pipeline.store.write(BlobRef(container="work", name=f"runs/film/{name}"), kind.encode())
    for message in late:
        if message.model_dump()["kind"] != "run_encoded":
            pipeline.waiting.append(message)
    pipeline.run()
    assert frames_left(pipeline) == []


def test_frames_are_kept_where_all_services_are_told_to(film: bytes) -> None:
    pipeline = Pipeline(store=MemoryStore(), stitcher={"keep_frames": True}, segment_frames=4, keep_frames=True)
    pipeline.submit(pipeline.put("film.mp4", film), run_id="film", preset="ultrafast")
    pipeline.run()
    kept = frames_left(pipeline)
    assert len(kept) == 3
    segment = next(message for message in pipeline.handled if isinstance(message, SegmentPlanned))
    pipeline.waiting.append(segment)
    pipeline.run()
    assert frames_left(pipeline) == kept


def test_a_clean_up_that_a_crash_ended_is_finished(film: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = pipeline_of(film)
    while (message := pipeline.waiting[0]).model_dump()["kind"] != "run_encoded":
        pipeline.step()

    def crash(refs: Iterable[BlobRef]) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pipeline.store, "delete", crash)
        pipeline.step()
    assert pipeline.status().state is State.SUCCEEDED
    assert frames_left(pipeline)
    pipeline.waiting.append(message)
    pipeline.run()
    assert frames_left(pipeline) == []


def test_a_join_that_a_crash_ended_before_the_run_did_ends_it(film: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = pipeline_of(film)
    while (message := pipeline.waiting[0]).model_dump()["kind"] != "run_encoded":
        pipeline.step()
    write = pipeline.store.write

    def crash(ref: BlobRef, *arguments: Any, **conditions: Any) -> str:
        etag = write(ref, *arguments, **conditions)
        if "report.json" in ref.name:
            raise KeyboardInterrupt
        return etag

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(pipeline.store, "write", crash)
        pipeline.step()
    written = {name: blob.etag for name, blob in blobs(pipeline.store, "output").items()}
    pipeline.waiting.append(message)
    status = pipeline.run()
    assert status.state is State.SUCCEEDED
    assert set(status.stages) == {"split", "scored", "encoded", "joined"}
    assert {name: blob.etag for name, blob in blobs(pipeline.store, "output").items()} == written
    assert frames_left(pipeline) == []


@pytest.mark.parametrize("effect", [False, True])
def test_a_run_whose_conditions_all_fail_once_gives_the_same_bytes(
    film: bytes, monkeypatch: pytest.MonkeyPatch, effect: bool
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    plain = pipeline_of(film)
    plain.run()
    pipeline = pipeline_of(film, Refusing(each_once(), effect=effect))
    status = pipeline.run()
    assert status.state is State.SUCCEEDED, status.error
    assert pipeline.dead == []
    assert pipeline.output() == plain.output()
    assert frames_left(pipeline) == []


def test_a_pack_that_another_version_wrote_is_announced_as_it_is(film: bytes) -> None:
    """Its images may have other sizes, so that the frames begin elsewhere."""
    pipeline, other = pipeline_of(film), pipeline_of(film)
    for each in (pipeline, other):
        each.step()
    manifest = other.runs.manifest("film")
    changed = manifest.model_copy(update={"options": manifest.options.model_copy(update={"jpeg_quality": 30})})
    other.store.write(other.runs.blobs("film").manifest, changed.encode())
    other.runs.manifest.cache_clear()  # type: ignore[attr-defined]
    other.step()
    (ref,) = [blob.ref for blob in other.store.list("work", other.runs.blobs("film").pack_prefix(0))]
    pipeline.store.write(ref, other.store.read(ref), metadata=other.store.stat(ref).metadata)
    pipeline.step()
    timelines = [each.runs.timeline("film", 0).offsets for each in (pipeline, other)]
    assert timelines[0] == timelines[1]
    assert pipeline.run().state is State.SUCCEEDED
    assert pipeline.dead == []
