"""Decoding a segment into packs of frames."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from fractions import Fraction

from framebrush.contracts import FrameRange, Manifest, PackReady, SegmentPlanned, Timeline
from framebrush.errors import BlobNotFound, InvalidVideo
from framebrush.media import PackWriter, pack_offsets, quoted, strictly_increasing
from framebrush.runs import Runs, Work, work_metadata
from framebrush.sandbox import Allowance, Sandbox
from framebrush.service import frames_in, frames_out
from framebrush.steps import describe, timed
from framebrush.storage import Store, write_once
from framebrush_splitter.packing import fill_packs
from framebrush_splitter.settings import SplitterSettings
from framebrush_splitter.tasks import decode_frames, read_frame
from framebrush_splitter.video import read_input


class SegmentSplitter:
    """Decodes segments. Each pack is announced once it is stored, the last one once the timeline is stored too."""

    def __init__(self, store: Store, settings: SplitterSettings, sandbox: Sandbox) -> None:
        self._store, self._settings, self._sandbox = store, settings, sandbox
        self._runs = Runs(store, settings.work_container)
        self._work = Work(self._runs, keep_frames=settings.keep_frames)

    def __call__(self, message: SegmentPlanned) -> Iterator[PackReady]:
        """Decode a segment unless that is done, and yield its packs, if the run still wants them.

        Raises:
            InputChanged: The input was overwritten since the run was planned.
            InvalidVideo: The input does not hold what was planned, or a frame is damaged and the run's policy is to
                fail.
            LimitExceeded: Decoding takes too long, or too much memory.
        """
        prefix = self._runs.blobs(message.run_id).pack_prefix(message.segment)
        yield from self._work.step(message.run_id, lambda: [prefix], self._split(message))

    def _split(self, message: SegmentPlanned) -> Iterator[PackReady]:
        try:
            timeline = self._runs.timeline(message.run_id, message.segment)
        except BlobNotFound:
            yield from self._decode(message)
        else:  # decoded before, perhaps not announced to the end
            first = 0
            for offsets in timeline.offsets:
                frames = FrameRange(first=first, count=len(offsets) - 1)
                yield _ready(message, frames, offsets)
                first = frames.stop

    def _decode(self, message: SegmentPlanned) -> Iterator[PackReady]:
        manifest = self._runs.manifest(message.run_id)
        pts, durations, offsets = list[int](), list[int](), list[tuple[int, ...]]()
        held: PackReady | None = None

        def images() -> Iterator[bytes]:
            for time, duration, image in self._frames(manifest, message.segment):
                pts.append(time)
                durations.append(duration)
                yield image

        started = datetime.now(UTC)
        for frames, pack in fill_packs(images(), manifest.pack_frames, manifest.options.pack_codec):
            if held is not None:
                yield held
            held = self._store_pack(message, frames, pack, started)
            offsets.append(held.offsets)
            started = datetime.now(UTC)
        timeline = Timeline(pts=tuple(strictly_increasing(pts)), durations=tuple(durations), offsets=tuple(offsets))
        write_once(self._store, self._runs.blobs(message.run_id).timeline(message.segment), timeline.encode())
        if held is not None:
            yield held

    def _frames(self, manifest: Manifest, number: int) -> Iterator[tuple[int, int, bytes]]:
        """Yield the time and duration in ticks, and the image, of each frame; a damaged frame has an empty image."""
        segment, source, settings = manifest.segment(number), manifest.source, self._settings
        allowance = Allowance(settings.max_frame_time, "MAX_FRAME_TIME", "decoding a frame")
        reader = read_input(self._store, source.blob, source.size, source.etag)
        decoded = self._sandbox.run(
            allowance,
            reader,
            decode_frames,
            manifest.video,
            manifest.options,
            segment,
            manifest.shifts,
            settings.decode_threads,
        )
        describe(frames=segment.frames)
        with closing(decoded):
            while True:
                with timed("decode"):
                    packed = next(decoded, None)
                if packed is None:
                    return
                frames_in.inc()
                time, duration, image = read_frame(packed)
                if not image and manifest.options.bad_frames == "fail":
                    seconds = float(time * Fraction(*manifest.video.time_base))
                    raise InvalidVideo(
                        f"the frame at {seconds:.3f} s is damaged; to show the one before it in its place: "
                        f"framebrush submit {quoted(source.blob.name)} --bad-frames hold_previous"
                    )
                yield time, duration, image

    def _store_pack(
        self, message: SegmentPlanned, frames: FrameRange, pack: PackWriter, started: datetime
    ) -> PackReady:
        ref = self._runs.blobs(message.run_id).pack(message.segment, frames)
        offsets = pack.offsets
        if not write_once(self._store, ref, pack.finish(), metadata=work_metadata(started)):
            offsets = pack_offsets(self._store.read(ref))  # another version's images may have other sizes
        frames_out.inc(frames.count)
        return _ready(message, frames, tuple(offsets))


def _ready(message: SegmentPlanned, frames: FrameRange, offsets: tuple[int, ...]) -> PackReady:
    return PackReady(
        run_id=message.run_id,
        generation=message.generation,
        segment=message.segment,
        frames=frames,
        offsets=offsets,
    )
