"""Turns the packets of a video into segments, and chooses the sizes of packs and batches."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import accumulate

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from framebrush.contracts import Segment, Shift
from framebrush.errors import InvalidVideo, LimitExceeded
from framebrush.media import (
    CAPTIONED,
    UNTIMED,
    WITHOUT_ZERO,
    Clock,
    Log,
    Shown,
    captions_in,
    codec_name,
    find_shifts,
    has_zero,
    quoted,
    strictly_increasing,
)
from framebrush_splitter.bitstream import has_alpha, is_idr, is_random_access_point, untimed
from framebrush_splitter.edges import Edges
from framebrush_splitter.encryption import refuse_encrypted_packet
from framebrush_splitter.sizes import Sizes
from framebrush_splitter.video import packets_in

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

UNSTATED = Fraction(1, 10)
"""The part by which a stated frame rate may differ from that of the frames: it is rounded, or that of most of them."""
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
    begins_inside: bool = False
    """Whether frames come before the first random access point, which a decoder may not be able to show."""
    timed: bool = True
    """Whether frames have times of their own."""
    captions: bool = False
    """Whether closed captions are among the pictures."""
    alpha: bool = False
    """Whether transparency is stored beside the pictures."""
    edited: bool = False
    """Whether an edit list hides frames."""
    changes: tuple[str, ...] = ()
    """What changes in the middle and is not kept, in words."""
    undecodable: int = 0
    """The number of frames at the beginning that are left out, since they refer to frames before the file."""
    broken_off: int = 0
    """The number of frames at the end that are left out, since the file breaks off in the middle of one of them."""
    edges: Mapping[int, Edges] = field(default_factory=dict)
    """The first and the last packets of every other stream, by the index of the stream; their times are moved."""
    shifts: tuple[Shift, ...] = ()
    """By how much the times of the file's packets are moved; the times here are moved already."""
    positions: Sequence[int] = ()
    """The offsets in the file of the random access points, if times are moved, and the format has no index of them."""

    def beginning_at(self, time: int) -> "Packets":
        """Return the packets without the frames before a time."""
        left_out = bisect_left(self.pts, time)
        first = bisect_left(self.random_access, time)
        points, positions = self.random_access[first:], self.positions[first:]
        return replace(self, pts=self.pts[left_out:], random_access=points, positions=positions, undecodable=left_out)

    def ending_at(self, time: int) -> "Packets":
        """Return the packets without the frames from a time on, which is not the first one."""
        kept, last = bisect_left(self.pts, time), bisect_left(self.random_access, time)
        points, positions = self.random_access[:last], self.positions[:last]
        left_out = len(self.pts) - kept
        return replace(
            self, pts=self.pts[:kept], random_access=points, positions=positions, end=time, broken_off=left_out
        )

    def tail(self, least: int) -> Segment:
        """Return the last frames, so many at least if there are, from a random access point on."""
        latest = self.pts[max(0, len(self.pts) - least)]
        place = max(0, bisect_right(self.random_access, latest) - 1)
        first = bisect_left(self.pts, self.random_access[place])
        position = self.positions[place] if self.positions and first else None
        return Segment(start=self.pts[first], end=self.end, frames=len(self.pts) - first, position=position)


def read_packets(
    container: InputContainer, stream: VideoStream, *, max_frames: int, size: tuple[int, int] | None = None
) -> Packets:
    """Read all packets of a file, and decode none of them.

    Args:
        container: The file, opened and not yet read from.
        stream: The video stream that is styled.
        max_frames: The number of frames that it may have.
        size: The width and the height of its first frame, which all frames must have; by default it is not looked at.

    Raises:
        InvalidVideo: A stream is encrypted, there are no frames, their size changes, frames have no times, times jump
            back, the file is cut short, or many packets hold the same bytes, which would fill disks when they are
            copied.
        LimitExceeded: There are too many frames.
    """
    times, ends, positions = array("q"), array("q"), array("q")  # 8 bytes each: some MB an hour
    keyframes, places = array("q"), array("q")
    edges, logs, ticks = dict[int, Edges](), dict[int, Log](), dict[int, float]()
    free, broadcast = not has_zero(container.format.name, stream), container.format.name in WITHOUT_ZERO
    codec, last, stored, unusable, left = codec_name(stream), 0.0, 0, 0, INFLATED * container.size + SLACK
    sizes = Sizes(stream, *size) if size else None
    recoloured, shown, clean, captions, alpha, edited = False, Shown(stream), False, False, False, False
    name = quoted(container.name)
    rest = f"to keep what there is: ffmpeg -i {name} -c copy shorter.mkv"
    indexed = len(stream.index_entries) if container.format.name in INDEXED else 0
    for packet in packets_in(container):
        if packet.size == 0:
            continue
        refuse_encrypted_packet(packet, container.name)
        left -= packet.size
        if left < 0:
            raise InvalidVideo(
                f"the file holds more than its size: {INFLATED} times as much, and there is no end of it"
            )
        index = packet.stream.index
        if index not in ticks:  # Fractions would take most of the time of planning a long film.
            ticks[index] = float(packet.time_base)
        if free and (packet.stream is stream or packet.stream.type == "audio"):
            if index not in logs:
                logs[index] = Log.of(packet.stream)
            logs[index].add(packet)
        last = max(last, ((packet.pts or 0) + (packet.duration or 0)) * ticks[index])
        if packet.stream is not stream:
            if index not in edges:
                edges[index] = Edges()
            edges[index].add(packet)
            continue
        stored += 1
        if sizes is not None:
            sizes(packet)
        recoloured |= stored > 1 and packet.has_sidedata("palette")  # The colours follow from all packets before.
        captions = captions or (codec in CAPTIONED and bool(captions_in(bytes(packet), codec)))
        alpha, edited = alpha or has_alpha(packet), edited or packet.is_discard
        if packet.is_corrupt and not broadcast:  # Where captures were joined, broadcasts have packets that seem so.
            raise InvalidVideo(f"the file is cut short or damaged: packet {stored - 1} is incomplete; {rest}")
        if not shown(packet):
            continue
        time = packet.pts if packet.pts is not None else packet.dts
        if time is None:
            raise InvalidVideo(
                "the video has packets without timestamps; to give it a frame rate: "
                f"ffmpeg -fflags +genpts -i {name} -c copy film.mkv"
            )
        if not times and container.format.name in UNTIMED and not is_idr(packet, codec):
            raise InvalidVideo(
                "the raw stream begins in the middle of a group of pictures, so that it does not tell when its frames "
                f"are shown; to write what can be shown: ffmpeg -i {name} -c:v libx264 -crf 16 whole.mp4"
            )
        if not times:
            clean = packet.is_keyframe and is_random_access_point(packet, codec)
        times.append(time)
        ends.append(time + shown.duration(packet))
        positions.append(packet.pos if packet.pos is not None else positions[-1] if positions else 0)
        if packet.is_keyframe:
            keyframes.append(len(times) - 1)
            if is_random_access_point(packet, codec):
                places.append(len(times) - 1)
            else:
                unusable += 1
        if len(times) > max_frames:
            found = max(indexed, len(times))
            raise LimitExceeded.of(f"at least {found} frames are more", str(max_frames), "MAX_FRAMES")
    if not times:
        raise InvalidVideo("the video stream has no frames")
    if indexed > stored:
        raise InvalidVideo(f"the file is cut short: it announces {indexed} frames, {stored} can be read; {rest}")
    announced = container.duration / av.time_base if container.duration and container.format.name in DECLARED else 0
    if last + CUT_SHORT < announced:
        raise InvalidVideo(f"the file is cut short: it announces {announced:.1f} s, {last:.1f} s can be read; {rest}")
    base = stream.time_base or Fraction(1)
    shifts = find_shifts(container.format.name, logs, base)
    clock = Clock(shifts, base)
    for index, ends_of_stream in edges.items():
        ends_of_stream.move(clock, logs.get(index))
    times, ends = clock.moved(times, positions, base), clock.moved(ends, positions, base)
    places = _in_order(times, keyframes, places, base, name)
    timed, in_order = not untimed(container, stream, times, packed=shown.packed), sorted(times)
    if not timed or recoloured:
        unusable, places = unusable + len(places) - 1, places[:1]
    return Packets(
        pts=array("q", in_order),
        random_access=array("q", (times[place] for place in places)),
        end=_end(in_order, max(ends)),
        unusable_keyframes=unusable,
        begins_inside=timed and (not clean or min(times) < times[places[0]]),
        timed=timed,
        captions=captions,
        alpha=alpha,
        edited=edited,
        changes=tuple(sizes.changes) if sizes else (),
        edges=edges,
        shifts=shifts,
        positions=array("q", (positions[place] for place in places)) if shifts and broadcast else (),
    )


def _end(times: Sequence[int], known: int) -> int:
    """Return when the last frame ends, in ticks. If the container does not tell, it lasts as long as the one before.

    Args:
        times: The times of all frames, which do not decrease.
        known: The latest end that the container tells; not later than the last time if it tells none.
    """
    last = times[-1]
    if known > last:
        return known
    return 2 * last - next((time for time in reversed(times) if time < last), last - 1)


def frame_rate(packets: Packets, time_base: Fraction, stated: Fraction | None) -> Fraction:
    """Return the average rate in frames per second: as the container states it, if that is near the truth.

    Containers without a rate state the number of their ticks, or nothing.
    """
    span = packets.pts[-1] - packets.pts[0] or packets.end - packets.pts[0]
    rate = max(1, len(packets.pts) - 1) / (span * time_base)
    if stated is not None and abs(stated / rate - 1) < UNSTATED:
        return stated
    return max(rate.limit_denominator(1001), Fraction(1, 1001))  # as in 30000/1001


def _in_order(
    times: Sequence[int], keyframes: Sequence[int], random_access: "array[int]", time_base: Fraction, name: str
) -> "array[int]":
    """Return the random access points that are shown after all frames that are stored before them, and the first one.

    One that shares its time with a frame stored before is not cut from it.

    Args:
        times: The presentation times of all frames, in the order in which they are stored.
        keyframes: The places of the keyframes in that order.
        random_access: Those of them where decoding can begin.
        time_base: The duration of a tick, in seconds.
        name: The file's, for a command.

    Raises:
        InvalidVideo: A keyframe is shown before the random access point before it, or before a frame stored before
            that.
    """
    usable, last, latest = set(random_access), None, list(accumulate(times, max))
    for place in keyframes:
        time = times[place]
        if last is not None and time < last:
            raise InvalidVideo(
                f"presentation times jump back from {last} to {time} ticks; to count the frames anew: "
                f"ffmpeg -i {name} -vf setpts=N/FR/TB -c:v libx264 -crf 16 whole.mp4"
            )
        if place in usable and place and time < latest[place - 1]:
            raise InvalidVideo(
                f"parts of the video overlap at {float(time * time_base):.3f} s, as edit lists and wrong times make "
                f"them; to write them out: ffmpeg -i {name} -c:v libx264 -crf 16 whole.mp4"
            )
        last = time if place in usable else last
    later = (place for place in random_access[1:] if times[place] > latest[place - 1])
    return random_access[:1] + array("q", later)


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
    shown, positions = strictly_increasing(pts), dict(zip(packets.random_access, packets.positions, strict=False))
    for time in packets.random_access:
        index = bisect_left(pts, time)
        if index - starts[-1] >= least and shown[index] == time:
            starts.append(index)
    ends = [*starts[1:], len(pts)]
    return tuple(
        Segment(
            start=pts[first],
            end=pts[stop] if stop < len(pts) else packets.end,
            frames=stop - first,
            position=positions.get(pts[first]) if first else None,
        )
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


def chunk_size(frames: int, pack: int) -> int:
    """Return the number of frames of a chunk: whole packs, one at least, with about so many frames.

    Args:
        frames: The number of frames.
        pack: The number of frames of a pack.
    """
    return pack * max(1, round(frames / pack))
