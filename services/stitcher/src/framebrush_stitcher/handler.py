"""The stitcher's steps: encode a chunk, and join all chunks of a run."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from framebrush.contracts import (
    BatchScored,
    BlobRef,
    Check,
    EncodedSegment,
    FailedFrame,
    Incoming,
    Manifest,
    Message,
    Progress,
    Rendition,
    Report,
    RunEncoded,
    SegmentEncoded,
    SegmentScored,
    State,
    Timeline,
    Timing,
)
from framebrush.errors import PermanentError
from framebrush.media import CAPTIONS_LOST, CARRYING, encode_segment, styled
from framebrush.messaging import note_progress
from framebrush.runs import Outputs, Runs, Work, measure, styled_packs, work_metadata
from framebrush.sandbox import Allowance, Sandbox
from framebrush.service import frames_in, frames_out, ordered_map, trim
from framebrush.steps import describe, timed
from framebrush.storage import BlobReader, Store, write_once
from framebrush_stitcher.arrival import bring, chunk_path
from framebrush_stitcher.frames import FrameDecoder, StyledFrames
from framebrush_stitcher.report.seen import Samples
from framebrush_stitcher.report.writer import Reporter
from framebrush_stitcher.scratch import Scratch
from framebrush_stitcher.settings import StitcherSettings
from framebrush_stitcher.tasks import CHECKS, write_output

DOCUMENTS = 16
"""The documents that a join reads at a time. They are small, so that each is little more than a wait for storage."""
OUT_OF_ORDER = "frames have times in another order than their pictures, and come as the decoder gives them: {}"
RunMessage: TypeAlias = BatchScored | SegmentScored | SegmentEncoded | RunEncoded


class Stitcher:
    """Handles the queue ``scored``."""

    def __init__(self, store: Store, settings: StitcherSettings, sandbox: Sandbox) -> None:
        self._store, self._settings, self._sandbox = store, settings, sandbox
        self._runs = Runs(store, settings.work_container)
        self._work, self._outputs = Work(self._runs, keep_frames=settings.keep_frames), Outputs(self._runs)
        self._reporter = Reporter(self._runs, self._outputs, settings, sandbox)
        self._scratch = Scratch(settings.scratch)
        self._encoders = threading.BoundedSemaphore(settings.encoders)

    def __call__(self, message: Incoming) -> Iterator[Message]:
        """Do the step that a message asks for, if its run is active, and yield the messages that follow.

        Raises:
            TypeError: The message is not one of the stitcher's.
        """
        if not isinstance(message, RunMessage):
            raise TypeError(f"not for the stitcher: {type(message).__name__}")
        yield from self._work.step(message.run_id, lambda: self._made(message), self._step(message))

    def _made(self, message: RunMessage) -> Iterable[str]:
        """Return the prefixes of the names of blobs that nobody needs once the run has succeeded."""
        blobs = self._runs.blobs(message.run_id)
        match message:
            case SegmentScored(segment=segment, chunk=chunk):
                renditions = self._runs.manifest(message.run_id).renditions
                return [blobs.encoded(segment, rendition.number, chunk).name for rendition in renditions]
            case RunEncoded():
                return blobs.intermediate_prefixes
        return ()

    def _step(self, message: RunMessage) -> Iterator[Message]:
        match message:
            case BatchScored() | SegmentEncoded():
                yield message  # A pod of version 0.1 sent it here; it is for the dispatcher.
            case SegmentScored():
                yield self._encode(message)
            case RunEncoded():
                self._join(message.run_id)

    def _encode(self, message: SegmentScored) -> SegmentEncoded:
        frames, blobs, chunk = 0, self._runs.blobs(message.run_id), message.chunk
        for rendition in self._runs.manifest(message.run_id).renditions:
            if not self._runs.exists(blobs.encoded(message.segment, rendition.number, chunk)):
                with self._encoders:
                    frames = self._encode_chunk(message.run_id, message.segment, chunk, rendition.number)
        frames_in.inc(frames)
        frames_out.inc(frames)
        return SegmentEncoded(
            run_id=message.run_id, generation=message.generation, segment=message.segment, chunk=chunk
        )

    def _encode_chunk(self, run_id: str, segment: int, chunk: int, rendition: int) -> int:
        started, blobs, settings = datetime.now(UTC), self._runs.blobs(run_id), self._settings
        manifest, timeline = self._runs.manifest(run_id), self._runs.timeline(run_id, segment, chunk)
        packs = styled_packs(blobs, manifest, segment, rendition, chunk)
        choice = manifest.options.choose(manifest.video.width, manifest.video.height)
        if choice is None:  # The plan has ruled it out.
            raise PermanentError(f"{manifest.options.codec} cannot be {manifest.video.width}x{manifest.video.height}")
        decoder = FrameDecoder(styled(manifest.video, choice.pixel_format), choice.pixel_format)
        frames = StyledFrames(self._store, packs, manifest.chunk(segment, chunk), decoder, settings.decode_threads)
        with self._scratch.folder() as folder:
            path = folder / "chunk"
            with timed("encode"):  # the decoding of the styled frames included
                reorder = encode_segment(
                    frames, timeline, manifest.video, manifest.options, choice, str(path), settings.encode_threads
                )
            record = EncodedSegment(reorder=reorder, failures=tuple(frames.failures.values()), moved=timeline.moved)
            write_once(self._store, blobs.encoded_report(segment, rendition, chunk), record.encode())
            with path.open("rb") as file:
                write_once(self._store, blobs.encoded(segment, rendition, chunk), file, metadata=work_metadata(started))
        describe(frames=timeline.frames, model=manifest.renditions[-1].model)
        trim()  # The next encoder may run in another thread, with another arena.
        return timeline.frames

    def _join(self, run_id: str) -> None:
        """Make the outputs and the report unless they exist, and end the run. The step of the run then clears up."""
        manifest, ref = self._runs.manifest(run_id), self._runs.blobs(run_id).report
        if not self._runs.exists(ref):
            started = datetime.now(UTC)
            blobs = self._runs.blobs(run_id)
            with self._scratch.folder() as folder:
                timelines = self._write_timelines((blobs.timeline(*chunk) for chunk in manifest.chunks), folder)
                made = [self._join_rendition(manifest, timelines, each, folder) for each in manifest.renditions]
                told = [CAPTIONS_LOST] if _loses_captions(manifest, timelines) else []
            told += [OUT_OF_ORDER.format(made[0].moved)] if made[0].moved else []
            report = self._report(manifest, made, started)
            report = report.model_copy(update={"notes": (*report.notes, *told)})
            problem = self._reporter.write(manifest, report, [joined.samples for joined in made])
            if problem is not None:
                report = report.model_copy(update={"notes": (*report.notes, problem)})
            write_once(self._store, ref, report.encode())
        report = Report.decode(self._store.read(ref))
        self._runs.end(
            run_id,
            State.SUCCEEDED,
            progress=Progress(split=manifest.frames, scored=manifest.frames, encoded=manifest.frames),
            stages=report.stages,
            failed_frames=len({failed.index for failed in report.failed_frames}),
        )

    def _join_rendition(
        self, manifest: Manifest, timelines: Sequence[Path], rendition: Rendition, folder: Path
    ) -> "_Joined":
        """Write one of the outputs, and look at it."""
        blobs, number, chunks = self._runs.blobs(manifest.run_id), rendition.number, list(manifest.chunks)
        model = rendition.model if manifest.more_outputs else None
        reports = (blobs.encoded_report(segment, number, chunk) for segment, chunk in chunks)
        records = [EncodedSegment.decode(data) for data in ordered_map(self._store.read, reports, DOCUMENTS)]
        self._outputs.claim(manifest.run_id, rendition.output)  # another run may have got it while this one was failed
        output = folder / f"output{PurePosixPath(rendition.output.name).suffix}"
        reorder = max(record.reorder for record in records)
        with closing(bring(self._store, blobs, number, chunks, folder)) as arriving:
            checks = self._write_output(manifest, arriving, timelines, reorder, output)
        with output.open("rb") as file:
            self._outputs.write(manifest.run_id, rendition.output, file)
        firsts = list(accumulate((segment.frames for segment in manifest.segments), initial=0))
        failed = tuple(
            FailedFrame(index=firsts[segment] + failure.frame, error=failure.error, model=model)
            for (segment, _), record in zip(chunks, records, strict=True)
            for failure in record.failures
        )
        samples = self._reporter.sample(manifest, rendition, timelines, output, failed)
        note_progress()
        output.unlink()
        checks = tuple(check.model_copy(update={"model": model}) for check in checks)
        return _Joined(failed, checks, samples, sum(record.moved for record in records))

    def _write_output(
        self, manifest: Manifest, arriving: Iterator[None], timelines: Sequence[Path], reorder: int, output: Path
    ) -> tuple[Check, ...]:
        source, seconds = manifest.source, self._settings.max_join_time
        reader = BlobReader(self._store, source.blob, source.size, source.etag)

        def bring_next() -> None:
            next(arriving, None)
            note_progress(seconds)

        allowance = Allowance(seconds, "MAX_JOIN_TIME", "joining", folder=output.parent, on_alive=bring_next)
        paths = [chunk_path(output.parent, number) for number in range(len(timelines))]
        note_progress(seconds)
        with timed("join"):
            (checks,) = self._sandbox.run(allowance, reader, write_output, manifest, paths, timelines, reorder, output)
        note_progress()
        return CHECKS.validate_json(bytes(checks))

    def _write_timelines(self, refs: Iterable[BlobRef], folder: Path) -> list[Path]:
        """Write timelines to files; return the files in the order of the timelines."""
        paths = list[Path]()
        for number, data in enumerate(ordered_map(self._store.read, refs, DOCUMENTS)):
            paths.append(folder / f"timeline-{number}")
            paths[-1].write_bytes(data)
            note_progress()
        return paths

    def _report(self, manifest: Manifest, made: "list[_Joined]", started: datetime) -> Report:
        ended = datetime.now(UTC)
        problems = (joined.samples.problem for joined in made if joined.samples and joined.samples.problem)
        join_time = Timing(started=started, ended=ended, busy=round((ended - started).total_seconds(), 3))
        return Report(
            run_id=manifest.run_id,
            input=manifest.source.blob,
            output=manifest.output,
            more_outputs=manifest.more_outputs,
            model=manifest.model,
            options=manifest.options,
            frames=manifest.frames,
            duration=manifest.duration,
            failed_frames=tuple(frame for joined in made for frame in joined.failed),
            bad_frames=manifest.options.bad_frames,
            stages=measure(self._runs, manifest.run_id)[1] | {"joined": join_time},
            checks=tuple(check for joined in made for check in joined.checks),
            notes=(*manifest.notes, *problems),
        )


def _loses_captions(manifest: Manifest, timelines: Iterable[Path]) -> bool:
    """Return whether frames have closed captions that the plan did not see, and that the output has no room for."""
    if not manifest.captions or manifest.options.codec in CARRYING:
        return False
    return any(Timeline.decode(path.read_bytes()).captions for path in timelines)


@dataclass(frozen=True, slots=True)
class _Joined:
    """One of the outputs: its frames that are not styled, its checks, and a sample of it for the page."""

    failed: tuple[FailedFrame, ...]
    checks: tuple[Check, ...]
    samples: Samples | None
    moved: int
    """The number of frames that have another time than the container tells for them."""
