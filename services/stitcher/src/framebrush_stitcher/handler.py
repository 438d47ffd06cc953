"""The stitcher's steps: notice that a segment is scored, encode it, notice that all are encoded, join them.

What is complete is told by the blobs that exist. Two stitchers may notice the same thing at once: both then send the
same message id, of which the broker keeps one; and were it kept twice, the second finds the work done.
"""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from framebrush.colors import styled
from framebrush.errors import BlobNotFound
from framebrush.manifest import (
    Check,
    EncodedSegment,
    FailedFrame,
    Manifest,
    Progress,
    Report,
    State,
    Timeline,
    Timing,
)
from framebrush.memory import trim
from framebrush.messages import BatchScored, Incoming, Message, RunEncoded, SegmentEncoded, SegmentScored
from framebrush.reader import BlobReader
from framebrush.runs import Runs, frames_of, work_metadata
from framebrush.sandbox import Allowance, Sandbox
from framebrush.store import Store
from framebrush.telemetry import frames_in, frames_out
from framebrush_stitcher.encode import choice_of, encode_segment
from framebrush_stitcher.frames import FrameDecoder, StyledFrames
from framebrush_stitcher.settings import StitcherSettings
from framebrush_stitcher.tasks import CHECKS, write_output


class Stitcher:
    """Handles the queue ``scored``."""

    def __init__(self, store: Store, settings: StitcherSettings, sandbox: Sandbox) -> None:
        self._store, self._settings, self._sandbox = store, settings, sandbox
        self._runs = Runs(store, settings.work_container)
        self._encoders = threading.BoundedSemaphore(settings.encoders)

    def __call__(self, message: Incoming) -> Iterator[Message]:
        """Do one step, if the run still wants it."""
        if not isinstance(message, BatchScored | SegmentScored | SegmentEncoded | RunEncoded):
            raise TypeError(f"not for the stitcher: {type(message).__name__}")
        if not self._runs.active(message.run_id):
            return
        match message:
            case BatchScored():
                yield from self._notice_scored(message)
            case SegmentScored():
                yield self._encode(message)
            case SegmentEncoded():
                yield from self._notice_encoded(message)
            case RunEncoded():
                self._join(message.run_id)

    def _notice_scored(self, message: BatchScored) -> Iterator[SegmentScored]:
        frames_in.inc(message.frames.count)
        prefix = self._runs.blobs(message.run_id).styled_prefix(message.segment)
        scored = sum(frames_of(blob.ref).count for blob in self._store.list(self._runs.container, prefix))
        if scored >= self._runs.manifest(message.run_id).segments[message.segment].frames:
            yield SegmentScored(run_id=message.run_id, round=message.round, segment=message.segment)

    def _encode(self, message: SegmentScored) -> SegmentEncoded:
        try:
            self._store.stat(self._runs.blobs(message.run_id).encoded(message.segment))
        except BlobNotFound:
            with self._encoders:
                self._encode_segment(message.run_id, message.segment)
        return SegmentEncoded(run_id=message.run_id, round=message.round, segment=message.segment)

    def _encode_segment(self, run_id: str, segment: int) -> None:
        started, blobs, settings = datetime.now(UTC), self._runs.blobs(run_id), self._settings
        manifest, timeline = self._runs.manifest(run_id), self._runs.timeline(run_id, segment)
        packs = [blob.ref for blob in self._store.list(self._runs.container, blobs.styled_prefix(segment))]
        choice = choice_of(manifest)
        decoder = FrameDecoder(styled(manifest.video, choice.pixel_format), choice.pixel_format)
        frames = StyledFrames(self._store, packs, timeline.frames, decoder, settings.decode_threads)
        with self._scratch() as folder:
            path = folder / "segment"
            reorder = encode_segment(frames, timeline, manifest, choice, path, settings.encode_threads)
            told = EncodedSegment(reorder=reorder, failures=tuple(frames.failures.values()))
            self._store.write(blobs.encoded_report(segment), told.encode())
            with path.open("rb") as file:
                self._store.write(blobs.encoded(segment), file, metadata=work_metadata(started))
        frames_out.inc(timeline.frames)
        trim()  # the next encoder may run in another thread, with another arena

    def _notice_encoded(self, message: SegmentEncoded) -> Iterator[RunEncoded]:
        blobs = self._runs.blobs(message.run_id)
        encoded = {blob.ref for blob in self._store.list(self._runs.container, f"{blobs.prefix}encoded/")}
        segments = range(len(self._runs.manifest(message.run_id).segments))
        if all(blobs.encoded(segment) in encoded for segment in segments):
            yield RunEncoded(run_id=message.run_id, round=message.round)

    def _join(self, run_id: str) -> None:
        started, manifest, blobs = datetime.now(UTC), self._runs.manifest(run_id), self._runs.blobs(run_id)
        segments = range(len(manifest.segments))
        timelines = [self._runs.timeline(run_id, segment) for segment in segments]
        told = [EncodedSegment.decode(self._store.read(blobs.encoded_report(segment))) for segment in segments]
        with self._scratch() as folder:
            paths = [self._download(run_id, segment, folder) for segment in segments]
            output = folder / f"output{PurePosixPath(manifest.output.name).suffix}"
            checks = self._write_output(manifest, paths, timelines, max(segment.reorder for segment in told), output)
            with output.open("rb") as file:
                self._store.write(manifest.output, file)
        report = self._report(manifest, told, checks, started)
        self._store.write(blobs.report, report.encode())
        self._runs.end(
            run_id,
            State.SUCCEEDED,
            progress=Progress(split=manifest.frames, scored=manifest.frames, encoded=manifest.frames),
            stages=report.stages,
            failed_frames=len(report.failed_frames),
        )
        if not self._settings.keep_frames:
            for prefix in blobs.intermediate_prefixes:
                self._store.delete(blob.ref for blob in list(self._store.list(self._runs.container, prefix)))

    def _write_output(
        self, manifest: Manifest, paths: list[Path], timelines: list[Timeline], reorder: int, output: Path
    ) -> tuple[Check, ...]:
        source = manifest.source
        reader = BlobReader(self._store, source.blob, source.size, source.etag)
        allowance = Allowance(self._settings.max_join_time, "MAX_JOIN_TIME", "joining")
        (checks,) = self._sandbox.run(allowance, reader, write_output, manifest, paths, timelines, reorder, output)
        return CHECKS.validate_json(bytes(checks))

    def _download(self, run_id: str, segment: int, folder: Path) -> Path:
        path = folder / f"{segment}"
        info = self._store.stat(self._runs.blobs(run_id).encoded(segment))
        with path.open("wb") as file:
            shutil.copyfileobj(BlobReader(self._store, info.ref, info.size, info.etag), file)
        return path

    def _report(
        self, manifest: Manifest, told: list[EncodedSegment], checks: tuple[Check, ...], started: datetime
    ) -> Report:
        failed, first = list[FailedFrame](), 0
        for segment, encoded in zip(manifest.segments, told, strict=True):
            failed += [FailedFrame(index=first + f.frame, error=f.error) for f in encoded.failures]
            first += segment.frames
        ended = datetime.now(UTC)
        join_time = Timing(started=started, ended=ended, busy=round((ended - started).total_seconds(), 3))
        return Report(
            run_id=manifest.run_id,
            input=manifest.source.blob,
            output=manifest.output,
            model=manifest.model,
            options=manifest.options,
            frames=manifest.frames,
            duration=manifest.duration,
            failed_frames=tuple(failed),
            bad_frames=manifest.options.bad_frames,
            stages=self._runs.measure(manifest.run_id)[1] | {"joined": join_time},
            checks=checks,
            notes=manifest.notes,
        )

    @contextmanager
    def _scratch(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="framebrush-", dir=self._settings.scratch) as folder:
            yield Path(folder)
