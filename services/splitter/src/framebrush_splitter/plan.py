"""Planning: from the packets of a video to segments, packs and batches."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from framebrush.contracts import Segment
from framebrush.errors import InvalidVideo, LimitExceeded
from framebrush.media import codec_name, distinct
from framebrush_splitter.bitstream import exact_entry, hidden, untimed

BATCH_PIXELS = 16_000_000
"""Pixels of a score batch: some tenths of a second of GPU time at any resolution, and about 50 MB of frames."""
PACK_BYTES = 256 * 2**20
FRAME_BYTES = {"jpeg": 0.5, "png": 2}
"""A pixel's, in packs: JPEG of good quality in 4:4:4, PNG of a film."""
DECLARED = {"matroska,webm"}
"""Formats that write their duration into the header; for others FFmpeg guesses."""
INDEXED = {"mov,mp4,m4a,3gp,3g2,mj2"}
"""Formats whose index at the beginning has every frame."""
CUT_SHORT = 0.25
"""Seconds that may be missing from the declared duration, which some muxers round up."""

INFLATED, SLACK = 8, 2**16
"""Times its size, and bytes more, that a file's packets may hold together, which can be stored compressed."""


@dataclass(frozen=True, slots=True)
class Packets:
    """The frames of a video as its packets announce them, in ticks of the stream's time base."""

    pts: Sequence[int]
    """Presentation times, not decreasing."""
    entries: Sequence[int]
    """Presentation times of frames where decoding can begin, increasing."""
    end: int
    """When the last frame ends."""
    inexact: int = 0
    """Keyframes where decoding cannot begin, or not exactly."""
    samples: Mapping[int, "Packet[Any]"] = field(default_factory=dict)
    """The first packet of every other stream, by the stream's index."""


def read_packets(container: InputContainer, stream: VideoStream, *, max_frames: int) -> Packets:
    """Read all packets of a stream, decoding nothing.

    Raises:
        InvalidVideo: no frames, frames without times, times that jump back, a file cut short, or the same bytes in
            many packets, which would fill disks when they are copied.
        LimitExceeded: too many frames.
    """
    times, entries, ends = array("q"), array("q"), array("q")  # 8 bytes each: some MB an hour
    samples = dict[int, "Packet[Any]"]()
    codec, last, stored, inexact, left = codec_name(stream), 0.0, 0, 0, INFLATED * container.size + SLACK
    indexed = len(stream.index_entries) if container.format.name in INDEXED else 0
    for packet in _announced(container):
        if packet.size == 0:
            continue
        left -= packet.size
        if left < 0:
            raise InvalidVideo(
                f"the file holds more than its size: {INFLATED} times as much, and there is no end of it"
            )
        last = max(last, float(((packet.pts or 0) + (packet.duration or 0)) * packet.time_base))
        if packet.stream is not stream:
            samples.setdefault(packet.stream.index, packet)
            continue
        stored += 1
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:
            raise InvalidVideo("the video has packets without timestamps: put it into a container with a frame rate")
        if packet.is_corrupt:
            raise InvalidVideo(f"the file is cut short or damaged: packet {stored - 1} is incomplete")
        if packet.is_discard or hidden(packet, codec):
            continue
        times.append(time)
        ends.append(time + max(packet.duration or 0, 1))
        if packet.is_keyframe:
            if entries and time < entries[-1]:
                raise InvalidVideo(f"presentation times jump back from {entries[-1]} to {time} ticks")
            if exact_entry(packet, codec):
                entries.append(time)
            else:
                inexact += 1
        if len(times) > max_frames:
            found = max(indexed, len(times))
            raise LimitExceeded.of(f"at least {found} frames are more", str(max_frames), "MAX_FRAMES")
    if not times:
        raise InvalidVideo("the video stream has no frames")
    if indexed > stored:
        raise InvalidVideo(f"the file is cut short: it announces {indexed} frames, {stored} can be read")
    announced = container.duration / av.time_base if container.duration and container.format.name in DECLARED else 0
    if last + CUT_SHORT < announced:
        raise InvalidVideo(f"the file is cut short: it announces {announced:.1f} s, {last:.1f} s can be read")
    if untimed(container, stream):
        inexact, entries = inexact + len(entries) - 1, entries[:1]
    return Packets(array("q", sorted(times)), entries, max(ends), inexact, samples)


def _announced(container: InputContainer) -> Iterator["Packet[Any]"]:
    """All packets, of streams that were there when the file was opened."""
    try:
        yield from container.demux()
    except IndexError:  # what PyAV makes of others
        raise InvalidVideo("a stream begins in the middle that the beginning of the file does not announce") from None


def cut(packets: Packets, least: int) -> tuple[Segment, ...]:
    """Cut where decoding can begin, into segments of at least ``least`` frames (the last may be shorter).

    With an open GOP, frames shown before a keyframe but stored after it belong to the segment before: segments are
    ranges of presentation times, and decoding runs on until the range is full. There is no cut where frames that share
    a time reach past it.
    """
    pts, starts = packets.pts, [0]
    shown = distinct(pts)
    for time in packets.entries:
        index = bisect_left(pts, time)
        if index - starts[-1] >= least and shown[index] == time:
            starts.append(index)
    ends = [*starts[1:], len(pts)]
    return tuple(
        Segment(start=pts[first], end=pts[stop] if stop < len(pts) else packets.end, frames=stop - first)
        for first, stop in zip(starts, ends, strict=True)
    )


def batch_size(width: int, height: int, requested: int | None) -> int:
    """Frames of a score batch, 1..64."""
    return requested or max(1, min(64, BATCH_PIXELS // (width * height)))


def pack_size(batch: int, frame_bytes: int) -> int:
    """Frames of a pack, 1..64: whole batches, 16 frames or more unless they are huge, as a pack is made in memory.

    Args:
        batch: frames of a score batch.
        frame_bytes: what a frame is reckoned to take.
    """
    least = max(1, min(16, PACK_BYTES // frame_bytes))
    return batch * -(-least // batch)
