"""Turns the packets of a video into segments, and chooses the sizes of packs and batches."""

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
from framebrush.media import codec_name, strictly_increasing
from framebrush_splitter.bitstream import hidden, is_random_access_point, untimed

BATCH_PIXELS = 56_000_000
"""The pixels that a score batch takes through models: at any resolution a second or two of GPU time, and so many that
storage and the bus cost little beside it. A scorer takes them through the model in parts."""
LEAST_PIXELS = 16_000_000
"""The pixels of a score batch that many models paint, or that takes much memory: as PNG, or as frames that are averaged
with their neighbours, all of which are in memory at once."""
PACK_BYTES = 256 * 2**20
"""The bytes that a pack may have; it is made in memory."""
FRAME_BYTES = {"jpeg": 0.5, "png": 2}
"""The bytes that a pixel takes in a pack: as JPEG of good quality in 4:4:4, and as PNG of a film."""
DECLARED = {"matroska,webm"}
"""Formats that store their duration in the header. For other formats FFmpeg estimates it."""
INDEXED = {"mov,mp4,m4a,3gp,3g2,mj2"}
"""Formats whose index lists every frame."""
CUT_SHORT = 0.25
"""The seconds by which a video may be shorter than its header says: some muxers round up."""

INFLATED, SLACK = 8, 2**16
"""The packets of a file may together have so many times its size, and so many bytes more: they may be compressed."""


@dataclass(frozen=True, slots=True)
class Packets:
    """The frames of a video as its packets announce them. All times are in ticks of the time base of the stream."""

    pts: Sequence[int]
    """The presentation times of all frames, in an order that does not decrease."""
    random_access: Sequence[int]
    """The presentation times of the random access points, where decoding can begin; they increase."""
    end: int
    """The time at which the last frame ends."""
    unusable_keyframes: int = 0
    """The number of keyframes where decoding cannot begin, or does not give exact frames at once."""
    samples: Mapping[int, "Packet[Any]"] = field(default_factory=dict)
    """The first packet of every other stream, by the index of the stream."""


def read_packets(container: InputContainer, stream: VideoStream, *, max_frames: int) -> Packets:
    """Read all packets of a file, and decode none of them.

    Args:
        container: The file, opened and not yet read from.
        stream: The video stream that is styled.
        max_frames: The number of frames that it may have.

    Raises:
        InvalidVideo: There are no frames, frames have no times, times jump back, the file is cut short, or many packets
            hold the same bytes, which would fill disks when they are copied.
        LimitExceeded: There are too many frames.
    """
    times, random_access, ends = array("q"), array("q"), array("q")  # 8 bytes each: some MB an hour
    samples = dict[int, "Packet[Any]"]()
    codec, last, stored, unusable, left = codec_name(stream), 0.0, 0, 0, INFLATED * container.size + SLACK
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
            if random_access and time < random_access[-1]:
                raise InvalidVideo(f"presentation times jump back from {random_access[-1]} to {time} ticks")
            if is_random_access_point(packet, codec):
                random_access.append(time)
            else:
                unusable += 1
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
        unusable, random_access = unusable + len(random_access) - 1, random_access[:1]
    return Packets(array("q", sorted(times)), random_access, max(ends), unusable, samples)


def _announced(container: InputContainer) -> Iterator["Packet[Any]"]:
    """Yield all packets of the streams that were there when the file was opened."""
    try:
        yield from container.demux()
    except IndexError:  # PyAV raises it for a packet of any other stream
        raise InvalidVideo("a stream begins in the middle that the beginning of the file does not announce") from None


def cut(packets: Packets, least: int) -> tuple[Segment, ...]:
    """Cut a video into segments at random access points.

    A segment is a range of presentation times. With an open GOP, frames that are stored after a keyframe and shown
    before it belong to the segment before: decoding goes on until all frames of the range have come. There is no cut
    between frames that share a time.

    Args:
        packets: The frames of the video.
        least: The number of frames that a segment has at least; the last segment may have fewer.
    """
    pts, starts = packets.pts, [0]
    shown = strictly_increasing(pts)
    for time in packets.random_access:
        index = bisect_left(pts, time)
        if index - starts[-1] >= least and shown[index] == time:
            starts.append(index)
    ends = [*starts[1:], len(pts)]
    return tuple(
        Segment(start=pts[first], end=pts[stop] if stop < len(pts) else packets.end, frames=stop - first)
        for first, stop in zip(starts, ends, strict=True)
    )


def batch_size(width: int, height: int, requested: int | None, *, models: int = 1, heavy: bool = False) -> int:
    """Return the number of frames of a score batch, 1 to 64, for frames of so many pixels, or as requested.

    Args:
        width: The width of a frame, in pixels.
        height: Its height.
        requested: The number that the run asks for; None leaves it to this function.
        models: The number of models that paint each frame.
        heavy: Whether a batch takes much memory beside its pixels.
    """
    pixels = LEAST_PIXELS if heavy else max(LEAST_PIXELS, BATCH_PIXELS // models)
    return requested or max(1, min(64, pixels // (width * height)))


def pack_size(batch: int, frame_bytes: int) -> int:
    """Return the number of frames of a pack, 1 to 64.

    A pack holds whole batches. It has 16 frames or more, unless they are so large that memory would not hold them.

    Args:
        batch: The number of frames of a score batch.
        frame_bytes: The estimated number of bytes of one frame.
    """
    least = max(1, min(16, PACK_BYTES // frame_bytes))
    return batch * -(-least // batch)
