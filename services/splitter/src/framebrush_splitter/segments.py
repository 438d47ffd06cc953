"""Decoding a segment into packs of frames."""

import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain, count, islice
from typing import TypeAlias

from framebrush.contracts import FrameRange, Manifest, PackReady, SegmentPlanned, Timeline
from framebrush.errors import BlobNotFound, InvalidVideo
from framebrush.media import PackWriter, pack_offsets
from framebrush.messaging import note_progress
from framebrush.runs import Runs, Work, work_metadata
from framebrush.sandbox import Allowance, Sandbox
from framebrush.service import frames_in, frames_out
from framebrush.steps import describe, timed
from framebrush.storage import Store, write_once
from framebrush_splitter.packing import fill_packs
from framebrush_splitter.settings import SplitterSettings
from framebrush_splitter.tasks import decode_frames, read_frame
from framebrush_splitter.video import read_input

Frame: TypeAlias = tuple[int, int, bytes, bytes, bool]
"""The time and the duration of a frame, in ticks, its captions, its image, and whether its time was another frame's."""


class SegmentSplitter:
    """Decodes segments. Each pack is announced once it is stored, the last one of a chunk once its timeline is, too.

    A long segment is decoded in turns, each in a message of its own: whatever happens to a process, what it has stored
    stays. The next turn decodes again from the segment's keyframe, and stores what comes behind. So a turn lasts
    as long as it took to come to its beginning, and half the time of a message at least: all turns together take about
    twice as long as one would, at most.
    """

    def __init__(self, store: Store, settings: SplitterSettings, sandbox: Sandbox) -> None:
        self._store, self._settings, self._sandbox = store, settings, sandbox
        self._runs = Runs(store, settings.work_container)
        self._work = Work(self._runs, keep_frames=settings.keep_frames)

    def __call__(self, message: SegmentPlanned) -> Iterator[PackReady | SegmentPlanned]:
        """Decode a segment unless that is done, and yield its packs, if the run still wants them.

        The last message is the next turn, unless the segment is decoded to its end.

        Raises:
            InputChanged: The input was overwritten since the run was planned.
            InvalidVideo: The input does not hold what was planned, or a frame is damaged and the run's policy is to
                fail.
            LimitExceeded: Decoding takes too long, or too much memory.
        """
        prefix = self._runs.blobs(message.run_id).pack_prefix(message.segment)
        yield from self._work.step(message.run_id, lambda: [prefix], self._split(message))

    def _split(self, message: SegmentPlanned) -> Iterator[PackReady | SegmentPlanned]:
        manifest = self._runs.manifest(message.run_id)
        for chunk in range(message.chunk, manifest.chunk_count(message.segment)):
            first = manifest.chunk(message.segment, chunk).first
            try:
                timeline = self._runs.timeline(message.run_id, message.segment, chunk)
            except BlobNotFound:
                yield from self._decode(manifest, message, chunk)
                return
            for offsets in timeline.offsets:  # decoded before, perhaps not announced to the end
                frames = FrameRange(first=first, count=len(offsets) - 1)
                yield _ready(message, frames, offsets)
                first = frames.stop
            note_progress()

    def _decode(self, manifest: Manifest, message: SegmentPlanned, begin: int) -> Iterator[PackReady | SegmentPlanned]:
        """Decode the chunks of a segment from this one on, until the turn is over."""
        last = manifest.chunk_count(message.segment) - 1
        begun, stored = time.monotonic(), manifest.chunk(message.segment, begin).first
        with closing(self._frames(manifest, message.segment, stored)) as decoded:
            frames = chain(list(islice(decoded, 1)), decoded)  # The first one comes behind all that are passed over.
            way = time.monotonic() - begun if stored else 0.0
            end = time.monotonic() + max(way, self._settings.message_timeout / 2)
            for chunk in range(begin, last + 1):
                # Whether there are more frames than planned shows at the end only.
                part = islice(frames, None if chunk == last else manifest.chunk(message.segment, chunk).count)
                yield from self._decode_chunk(manifest, message, chunk, part)
                if chunk < last and time.monotonic() >= end:
                    yield message.model_copy(update={"chunk": chunk + 1})
                    return

    def _decode_chunk(
        self, manifest: Manifest, message: SegmentPlanned, chunk: int, frames: Iterable[Frame]
    ) -> Iterator[PackReady]:
        pts, durations, captions, offsets = list[int](), list[int](), list[bytes](), list[tuple[int, ...]]()
        held: PackReady | None = None
        moved = 0

        def images() -> Iterator[bytes]:
            nonlocal moved
            for at, duration, text, image, out_of_order in frames:
                pts.append(at)
                durations.append(duration)
                captions.append(text)
                moved += out_of_order
                yield image

        started = datetime.now(UTC)
        first = manifest.chunk(message.segment, chunk).first
        for part, pack in fill_packs(images(), manifest.pack_frames, manifest.options.pack_codec, first):
            if held is not None:
                yield held
            held = self._store_pack(message, part, pack, started)
            offsets.append(held.offsets)
            started = datetime.now(UTC)
        texts = tuple(captions) if any(captions) else ()
        timeline = Timeline(
            pts=tuple(pts), durations=tuple(durations), offsets=tuple(offsets), captions=texts, moved=moved
        )
        write_once(self._store, self._runs.blobs(message.run_id).timeline(message.segment, chunk), timeline.encode())
        if held is not None:
            yield held

    def _frames(self, manifest: Manifest, number: int, stored: int) -> Generator[Frame, None, None]:
        """Yield the time and duration in ticks, the captions and the image of each frame, empty if it is damaged.

        The last is whether the container tells another time for it.

        Times increase: if frames share a time, each gets a time one tick after the frame before.

        Args:
            manifest: The manifest of the run.
            number: The number of the segment.
            stored: The number of frames to pass over.
        """
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
            stored,
            captions=manifest.captions,
        )
        describe(frames=segment.frames - stored)
        previous = segment.start - 1
        with closing(decoded):
            for index in count():
                with timed("decode"):
                    packed = next(decoded, None)
                if packed is None:
                    return
                if index % manifest.pack_frames == 0:
                    note_progress()
                at, duration, text, image, moved = read_frame(packed)
                previous = max(at, previous + 1)
                if index < stored:
                    continue
                if index >= segment.frames:
                    raise InvalidVideo(f"more than the {segment.frames} frames of segment {number} could be decoded")
                frames_in.inc()
                yield previous, duration, text, image, moved

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
