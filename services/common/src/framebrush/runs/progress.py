"""Measures how far a run is, by the blobs that exist."""

import os
import socket
import time
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from framebrush.contracts import Manifest, Progress, Timing
from framebrush.errors import BlobNotFound
from framebrush.runs.documents import RunDocuments
from framebrush.runs.names import chunk_of, frames_of, numbered
from framebrush.steps import delivery
from framebrush.storage import BlobInfo

STAGES = {"frames": "split", "styled": "scored", "encoded": "encoded"}
"""The folders of a run, with the stage that writes into each."""
GROUP = 100
"""The segments of a group: their numbers have six digits in names, of which the first four are the same."""
PAINTED = "painted"
"""The key of the metadata of a mark: how many frames of its batch are painted. A batch that takes long writes it."""
MARKS = 2.0
"""The seconds after which a meter lists the marks of a run again: most runs have none."""
LONG, PART = 100_000, 10_000
"""A group of more frames than the first number is looked at in parts, each of so many frames of one segment. Their
numbers have eight digits in names, of which the first four are the same."""


def work_metadata(started: datetime) -> dict[str, str]:
    """Return the metadata of a blob that a stage made.

    It says when the work began, that it ends now, who did it and since when that process runs, and how the message
    came that asked for it.
    """
    pod = f"{socket.gethostname()}-{os.getpid()}".encode("ascii", "replace").decode()
    found = {"started": started, "ended": datetime.now(UTC), "up": _process_start()}
    facts, came = {"pod": pod}, delivery()
    if came is not None:
        found |= {"queued": came.queued, "taken": came.taken}
        facts["attempt"] = str(came.attempt)
    return {name: moment.isoformat() for name, moment in found.items()} | facts


@lru_cache(maxsize=1)
def _process_start() -> datetime:
    """Return when this process was started; see proc_pid_stat(5)."""
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return datetime.now(UTC) - timedelta(seconds=age)


def _add(timing: Timing | None, blob: BlobInfo) -> Timing:
    """Return the timing of a stage, with one more of its blobs."""
    started, ended = (datetime.fromisoformat(blob.metadata[name]) for name in ("started", "ended"))
    return _together(timing, Timing(started=started, ended=ended, busy=(ended - started).total_seconds()))


def _together(a: Timing | None, b: Timing) -> Timing:
    """Return the timing of two parts of a stage's work."""
    if a is None:
        return b
    return Timing(started=min(a.started, b.started), ended=max(a.ended, b.ended), busy=round(a.busy + b.busy, 6))


def measure(runs: RunDocuments, run_id: str) -> tuple[Progress, dict[str, Timing]]:
    """Return how far the stages of a run are and how long they took, by the blobs that exist. See :class:`Meter`."""
    return Meter(runs).measure(run_id)


class Meter:
    """Measures runs again and again. What is finished is looked at once: a look costs the same however long a run is.

    A look goes by groups of segments, or of packs of a long segment, with names that begin alike. A stage works on
    them in their order, more or less: behind a group in which it has done nothing yet, nothing is looked for.
    """

    def __init__(self, runs: RunDocuments) -> None:
        self._runs = runs
        self._finished: dict[str, dict[str, _Done]] = {}
        """What the stages have done in the groups that are finished, by run and by prefix."""
        self._marks = dict[str, tuple[float, dict[str, int]]]()
        """The marks of each run, as :meth:`_painted` returns them, and when they were listed."""
        self.begun = 0
        """Of the frames that were scored when a run was measured last, those whose styled packs are not there yet."""

    def measure(self, run_id: str) -> tuple[Progress, dict[str, Timing]]:
        """Return how far the stages of a run are and how long they took, by the blobs that exist.

        A stage is done with a frame once it has made the last rendition of it. Of batches that are being painted, and
        that tell how far they are, it is done with so many frames as well.

        Returns:
            The numbers of frames, and for each stage that has begun its times, by the stage's name.
        """
        try:
            manifest = self._runs.manifest(run_id)
        except BlobNotFound:  # It is not planned yet.
            return Progress(), {}
        frames, timings = {"frames": 0}, dict[str, Timing]()
        painted = self._painted(run_id)  # before the styled packs are listed: a mark is removed behind its pack
        for folder, stage in STAGES.items():
            for rendition in manifest.renditions if folder != "frames" else manifest.renditions[:1]:
                prefix = self._runs.blobs(run_id).prefix + numbered(folder, rendition.number)
                done = self._measure_folder(run_id, manifest, prefix, stage, painted if folder == "styled" else {})
                frames[folder] = done.frames + done.begun  # that of the last rendition stays
                if folder == "styled":
                    self.begun = done.begun
                if done.timing is not None:
                    timings[stage] = _together(timings.get(stage), done.timing)
        return Progress(split=frames["frames"], scored=frames["styled"], encoded=frames["encoded"]), timings

    def forget(self, active: Container[str]) -> None:
        """Forget what is known of all runs but these."""
        self._finished = {run_id: known for run_id, known in self._finished.items() if run_id in active}
        self._marks = {run_id: known for run_id, known in self._marks.items() if run_id in active}

    def _painted(self, run_id: str) -> dict[str, int]:
        """Return how many frames of batches are painted, by the name of the styled pack without its folder."""
        listed, found = self._marks.get(run_id, (-MARKS, {}))
        if (now := time.monotonic()) - listed >= MARKS:
            prefix = self._runs.blobs(run_id).marks_prefix
            marks = self._runs.store.list(self._runs.container, prefix)
            found = {f"{mark.ref.name.removeprefix(prefix)}.tar": int(mark.metadata[PAINTED]) for mark in marks}
            self._marks[run_id] = now, found
        return found

    def _measure_folder(
        self, run_id: str, manifest: Manifest, folder: str, stage: str, painted: Mapping[str, int]
    ) -> "_Done":
        finished, total = self._finished.setdefault(run_id, {}), _Done(0, None)
        for name, frames in _groups(manifest, stage):
            prefix = f"{folder}/{name}"
            begun = {f"{folder}/{pack}": count for pack, count in painted.items() if pack.startswith(name)}
            done = finished.get(prefix) or self._look(manifest, prefix, stage, begun)
            if done.frames == frames:
                finished[prefix] = done
            timing = done.timing and _together(total.timing, done.timing)
            total = _Done(total.frames + done.frames, timing or total.timing, total.begun + done.begun)
            if not done.frames:
                break
        return total

    def _look(self, manifest: Manifest, prefix: str, stage: str, begun: dict[str, int]) -> "_Done":
        frames, timing = 0, None
        for blob in self._runs.store.list(self._runs.container, prefix):
            if stage == "encoded":
                frames += manifest.chunk(*chunk_of(blob.ref)).count
            else:
                frames += frames_of(blob.ref).count
            timing = _add(timing, blob)
            begun.pop(blob.ref.name, None)
        return _Done(frames, timing, sum(begun.values()))


def _groups(manifest: Manifest, stage: str) -> Iterator[tuple[str, int]]:
    """Yield what the names of each group begin with in the folder of a stage, and the frames of the blobs of the group.

    A pack belongs to the part in which it begins.
    """
    size = manifest.pack_frames if stage == "split" else manifest.batch_frames
    for first in range(0, len(manifest.segments), GROUP):
        counts = [segment.frames for segment in manifest.segments[first : first + GROUP]]
        if stage == "encoded" or sum(counts) <= LONG:
            yield f"{first // GROUP:04}", sum(counts)
            continue
        for number, frames in enumerate(counts, first):
            for part in range(-(-frames // PART)):
                begin, end = (min(frames, -(-place * PART // size) * size) for place in (part, part + 1))
                yield f"{number:06}/{part:04}", end - begin


@dataclass(frozen=True, slots=True)
class _Done:
    """What a stage has done in some segments."""

    frames: int
    timing: Timing | None
    begun: int = 0
    """The frames that are painted of batches whose styled pack is missing."""
