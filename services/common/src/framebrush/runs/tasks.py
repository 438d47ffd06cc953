"""Lists the pieces of a run's work, by the blobs that exist."""

from collections.abc import Iterator
from datetime import datetime

from framebrush.contracts import TaskTime
from framebrush.runs.documents import RunDocuments
from framebrush.runs.names import chunk_of, frames_of
from framebrush.runs.progress import STAGES


def tasks_of(runs: RunDocuments, run_id: str) -> Iterator[TaskTime]:
    """Yield the pieces of work that are done, by the blobs that exist, in the order of the blobs' names."""
    prefix = runs.blobs(run_id).prefix
    for blob in runs.store.list(runs.container, prefix):
        folder, _, name = blob.ref.name.removeprefix(prefix).partition("/")
        kind, _, number = folder.partition(".")
        stage = STAGES.get(kind)
        if stage is None:
            continue
        if stage == "encoded":
            segment, chunk = chunk_of(blob.ref)
            frames = runs.manifest(run_id).chunk(segment, chunk)
        else:
            segment, frames = int(name.partition("/")[0]), frames_of(blob.ref)
        started, ended = (datetime.fromisoformat(blob.metadata[key]) for key in ("started", "ended"))
        yield TaskTime(
            stage=stage,
            segment=segment,
            first=frames.first,
            frames=frames.count,
            rendition=int(number or 0),
            started=started,
            ended=ended,
            size=blob.size,
            pod=blob.metadata.get("pod", ""),
        )
