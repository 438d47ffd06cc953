"""Measures how far a run is, by the blobs that exist."""

import collections
from datetime import UTC, datetime

from framebrush.contracts import Progress, Timing
from framebrush.runs.documents import RunDocuments
from framebrush.runs.names import frames_of, numbered
from framebrush.storage import BlobInfo

_STAGES = {"frames": "split", "styled": "scored", "encoded": "encoded"}
"""The folders of a run, with the stage that writes into each."""


def work_metadata(started: datetime) -> dict[str, str]:
    """Return the metadata of a blob that a stage made: when its work began, and that it ends now."""
    return {"started": started.isoformat(), "ended": datetime.now(UTC).isoformat()}


def _add(timing: Timing | None, blob: BlobInfo) -> Timing:
    """Return the timing of a stage, with one more of its blobs."""
    started, ended = (datetime.fromisoformat(blob.metadata[name]) for name in ("started", "ended"))
    busy = (ended - started).total_seconds()
    if timing is None:
        return Timing(started=started, ended=ended, busy=busy)
    return Timing(
        started=min(timing.started, started), ended=max(timing.ended, ended), busy=round(timing.busy + busy, 6)
    )


def is_scored(runs: RunDocuments, run_id: str, segment: int) -> bool:
    """Return whether all frames of a segment are scored, in all renditions.

    A scorer makes the renditions of a batch in their order, so that a batch is scored once its last rendition exists.
    """
    manifest = runs.manifest(run_id)
    prefix = runs.blobs(run_id).styled_prefix(segment, manifest.renditions[-1].number)
    scored = sum(frames_of(blob.ref).count for blob in runs.store.list(runs.container, prefix))
    return scored >= manifest.segment(segment).frames


def is_encoded(runs: RunDocuments, run_id: str) -> bool:
    """Return whether all segments of a run are encoded, in all renditions.

    A stitcher makes the renditions of a segment in their order: a segment is encoded once its last one exists.
    """
    blobs, manifest = runs.blobs(run_id), runs.manifest(run_id)
    last = manifest.renditions[-1].number
    encoded = {blob.ref for blob in runs.store.list(runs.container, blobs.encoded_prefix(last))}
    return all(blobs.encoded(segment, last) in encoded for segment in range(len(manifest.segments)))


def measure(runs: RunDocuments, run_id: str) -> tuple[Progress, dict[str, Timing]]:
    """Return how far the stages of a run are and how long they took, by the blobs that exist.

    A stage is done with a frame once it has made the last rendition of it.

    Returns:
        The numbers of frames, and for each stage that has begun its times, by the stage's name.
    """
    prefix, counts, timings = runs.blobs(run_id).prefix, collections.Counter[str](), dict[str, Timing]()
    for blob in runs.store.list(runs.container, prefix):
        folder, _, name = blob.ref.name.removeprefix(prefix).partition("/")
        stage = _STAGES.get(folder.partition(".")[0])
        if stage is None:
            continue
        if stage == "encoded":
            counts[folder] += runs.manifest(run_id).segments[int(name.partition(".")[0])].frames
        else:
            counts[folder] += frames_of(blob.ref).count
        timings[stage] = _add(timings.get(stage), blob)
    if not counts:
        return Progress(), timings
    last = runs.manifest(run_id).renditions[-1].number
    scored, encoded = counts[numbered("styled", last)], counts[numbered("encoded", last)]
    return Progress(split=counts["frames"], scored=scored, encoded=encoded), timings
