"""Planning: from the packets of a video to segments, packs and batches."""

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from framebrush.errors import InvalidVideo, LimitExceeded
from framebrush.manifest import Segment

BATCH_PIXELS = 16_000_000
"""Pixels of a score batch: some tenths of a second of GPU time at any resolution, and about 50 MB of frames."""
DECLARED = {"matroska,webm"}
"""Formats that write their duration into the header; for others FFmpeg guesses. (MP4 is told by its frame count.)"""
CUT_SHORT = 0.25
"""Seconds that may be missing from the declared duration, which some muxers round up."""


@dataclass(frozen=True, slots=True)
class Packets:
    """The frames of a video as its packets announce them, in ticks of the stream's time base."""

    pts: Sequence[int]
    """Presentation times, increasing."""
    keyframes: Sequence[int]
    """Presentation times of frames where decoding can begin, increasing."""
    end: int
    """When the last frame ends."""


def read_packets(container: InputContainer, stream: VideoStream, *, max_frames: int) -> Packets:
    """Read all packets of a stream, decoding nothing.

    Raises:
        InvalidVideo: no frames, frames without times, two frames at one time, or a file cut short.
        LimitExceeded: too many frames.
    """
    times, keyframes, ends = array("q"), array("q"), array("q")  # 8 bytes each: some MB an hour
    last = 0.0
    for packet in container.demux():
        if packet.size == 0 or packet.is_discard:
            continue
        last = max(last, float(((packet.pts or 0) + (packet.duration or 0)) * packet.time_base))
        if packet.stream is not stream:
            continue
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:
            raise InvalidVideo("the video has packets without timestamps")
        if packet.is_corrupt:
            raise InvalidVideo(f"the file is cut short or damaged: packet {len(times)} is incomplete")
        times.append(time)
        if packet.is_keyframe:
            keyframes.append(time)
        ends.append(time + max(packet.duration or 0, 1))
        if len(times) > max_frames:
            raise LimitExceeded(f"more than {max_frames} frames (FRAMEBRUSH_MAX_FRAMES)")
    if not times:
        raise InvalidVideo("the video stream has no frames")
    if stream.frames > len(times):
        raise InvalidVideo(f"the file is cut short: it announces {stream.frames} frames, {len(times)} can be read")
    announced = container.duration / av.time_base if container.duration and container.format.name in DECLARED else 0
    if last + CUT_SHORT < announced:
        raise InvalidVideo(f"the file is cut short: it announces {announced:.1f} s, {last:.1f} s can be read")
    times = array("q", sorted(times))
    for earlier, later in pairwise(times):
        if earlier == later:
            raise InvalidVideo(f"two frames have the same presentation time ({later} ticks)")
    return Packets(times, array("q", sorted(keyframes)), max(ends))


def cut(packets: Packets, least: int) -> tuple[Segment, ...]:
    """Cut at keyframes into segments of at least ``least`` frames (the last may be shorter).

    With an open GOP, frames shown before a keyframe but stored after it belong to the segment before: segments are
    ranges of presentation times, and decoding runs on until the range is full.
    """
    pts, starts = packets.pts, [0]
    for time in packets.keyframes:
        index = bisect_left(pts, time)
        if index - starts[-1] >= least:
            starts.append(index)
    ends = [*starts[1:], len(pts)]
    return tuple(
        Segment(start=pts[first], end=pts[stop] if stop < len(pts) else packets.end, frames=stop - first)
        for first, stop in zip(starts, ends, strict=True)
    )


def batch_size(width: int, height: int, requested: int | None) -> int:
    """Frames of a score batch, 1..64."""
    return requested or max(1, min(64, BATCH_PIXELS // (width * height)))


def pack_size(batch: int) -> int:
    """Frames of a pack: whole batches, 16..64 of them, so that blobs are neither tiny nor huge."""
    return batch * max(1, -(-16 // batch))
