"""Lists the pieces of a run's work, by the blobs that exist."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from framebrush.contracts import FrameRange, Manifest, TaskTime, Timing
from framebrush.runs.documents import RunDocuments
from framebrush.runs.names import chunk_of, frames_of
from framebrush.runs.progress import STAGES, work_metadata

MOMENTS = ("up", "queued", "taken")
"""The times in the metadata that pods of an earlier release do not write."""


def tasks_of(runs: RunDocuments, run_id: str) -> Iterator[TaskTime]:
    """Yield the pieces of work that are done, by the blobs that exist, in the order of the blobs' names."""
    prefix = runs.blobs(run_id).prefix
    for blob in runs.store.list(runs.container, prefix):
        folder, _, name = blob.ref.name.removeprefix(prefix).partition("/")
        kind, _, number = folder.partition(".")
        stage = STAGES.get(kind)
        if blob.ref == runs.blobs(run_id).manifest and "started" in blob.metadata:
            frames = FrameRange(first=0, count=runs.manifest(run_id).frames)
            yield _task("planned", 0, frames, 0, blob.size, blob.metadata)
        if stage is None:
            continue
        if stage == "encoded":
            segment, chunk = chunk_of(blob.ref)
            frames = runs.manifest(run_id).chunk(segment, chunk)
        else:
            segment, frames = int(name.partition("/")[0]), frames_of(blob.ref)
        yield _task(stage, segment, frames, int(number or 0), blob.size, blob.metadata)


def task_of_join(manifest: Manifest, timing: Timing, size: int) -> TaskTime:
    """Return the join of a run as a piece of work of the message in hand; ``size`` is that of all outputs, in bytes."""
    metadata = work_metadata(timing.started) | {"ended": timing.ended.isoformat()}
    return _task("joined", 0, FrameRange(first=0, count=manifest.frames), 0, size, metadata)


def _task(
    stage: str, segment: int, frames: FrameRange, rendition: int, size: int, metadata: Mapping[str, str]
) -> TaskTime:
    """Return a piece of work, with what :func:`work_metadata` has recorded of it, as far as it is there."""
    names = ("started", "ended", *(name for name in MOMENTS if name in metadata))
    facts = {name: datetime.fromisoformat(metadata[name]) for name in names} | {
        "pod": metadata.get("pod", ""),
        "attempt": int(metadata.get("attempt", "1")),
    }
    return TaskTime.model_validate(
        {"stage": stage, "segment": segment, "first": frames.first, "frames": frames.count, "rendition": rendition}
        | {"size": size, **facts}
    )
