"""Decoding one segment, at any place in the video."""

import heapq
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from typing import Any, TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet, PacketSideData
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framebrush.contracts import Segment, Shift
from framebrush.errors import InvalidVideo
from framebrush.media import UNTIMED, Clock, Shown, captions_in, codec_name, quoted
from framebrush_splitter.bitstream import FIRST, untimed
from framebrush_splitter.encryption import refuse_encrypted_packet
from framebrush_splitter.presentation import DecodedFrame, Presentation
from framebrush_splitter.video import packets_in

UNDECODABLE = {"webp_pipe": "animated WebP cannot be decoded; to make a GIF of it: magick {name} film.gif"}
"""Formats that FFmpeg opens but does not decode in full, and what to do about them."""
NOTHING = "no frame could be decoded; to see what the decoder says: ffmpeg -i {name} -f null -"
CUT_OUT = (
    "its edit list leaves out all of its frames; to write them without edits: "
    "ffmpeg -ignore_editlist 1 -i {name} -c copy whole.mp4"
)
Opened: TypeAlias = Callable[[], AbstractContextManager[tuple[InputContainer, VideoStream]]]


def decode_segment(
    opened: Opened,
    segment: Segment,
    shifts: Sequence[Shift] = (),
    alive: Callable[[], None] = lambda: None,
    *,
    captions: bool = False,
) -> Iterator[DecodedFrame]:
    """Yield the frames of a segment in order of presentation: the same frames that decoding the whole video gives.

    Args:
        opened: Opens the video, at its beginning.
        segment: The segment; decoding can begin at its first frame.
        shifts: By how much the times of the file's packets are moved.
        alive: Is called for each frame that is decoded before the segment begins.
        captions: Whether closed captions are looked for.

    Raises:
        InvalidVideo: The segment has more or fewer frames than planned, or none of them can be decoded.
    """
    start = _Start(shifts=shifts)
    for jump in (True, False):  # an index may lead past the start: then decode from the beginning
        with opened() as (container, stream):
            if jump:
                start = _beginning(container, stream, shifts)
                if container.format.name in UNTIMED:  # After a seek nobody knows which frame it is.
                    continue
                try:
                    if segment.position is None:
                        container.seek(segment.start - (shifts[0].ticks if shifts else 0), stream=stream)
                    else:
                        container.seek(segment.position, stream=stream, unsupported_byte_offset=True)
                except av.FFmpegError:
                    continue
            frames = _between(container, stream, segment, start, alive, captions=captions)
            first = next(frames, None)
            if jump and (first is None or first.time != segment.start or first.frame is None):
                continue
            yield from _checked(first, frames, segment)
            return


def first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    """Return the first frame that can be decoded.

    Raises:
        InvalidVideo: No frame can be decoded, or the video is encrypted.
    """
    cut_out = None
    for packet in packets_in(container, stream):
        refuse_encrypted_packet(packet, container.name)
        if packet.size:
            cut_out = packet.is_discard and cut_out is not False
        try:
            for frame in packet.decode():
                return frame
        except av.InvalidDataError:
            continue
    words = CUT_OUT if cut_out else UNDECODABLE.get(container.format.name, NOTHING)
    raise InvalidVideo(f"{container.name}: {words.format(name=quoted(container.name))}")


def first_time(
    container: InputContainer,
    stream: VideoStream,
    announced: Sequence[int],
    point: int | None,
    shifts: Sequence[Shift] = (),
) -> int:
    """Return the time at which a video begins for players, whose file begins in the middle of a group of pictures.

    Args:
        container: The video, opened.
        stream: Its video stream.
        announced: The times of the frames that its packets announce, which do not decrease.
        point: The time of the first random access point; None if there is none.
        shifts: By how much the times of the file's packets are moved; the times above are moved already.
    """
    decoded, clock = set[int](), Clock(shifts, stream.time_base or Fraction(1))

    def frames(packet: "Packet[Any]") -> list[VideoFrame]:
        clock(packet)
        return _decoded(packet)

    for frame in chain.from_iterable(frames(packet) for packet in packets_in(container, stream)):
        time = frame.pts
        if time is None:
            continue
        if point is not None and time >= point:
            break
        if not frame.is_corrupt:
            decoded.add(time)
            if point is None:
                return time
    begin = announced[0] if point is None else point
    for time in reversed(announced[: bisect_left(announced, begin)]):
        if time not in decoded:
            break
        begin = time
    return begin


def _decoded(packet: "Packet[Any]", *, checksums: bool = False) -> list[VideoFrame]:
    """Return the frames that a packet gives, none if it is damaged.

    Args:
        packet: The packet.
        checksums: Whether it has checksums of its slices, as FFV1 has. The decoder conceals a slice that does not
            agree, and tells it to nobody but its log.
    """
    if not packet.size and packet.pts is not None:  # It says that the frame before is shown on.
        return []
    try:
        if not checksums:
            return packet.decode()
        av.logging.set_level(av.logging.ERROR)
        try:
            with av.logging.Capture(local=False) as messages:
                frames = packet.decode()
        finally:
            av.logging.set_level(None)
        return [] if any("CRC mismatch" in text for _, _, text in messages) else frames
    except av.InvalidDataError:
        return []


def _checked(first: DecodedFrame | None, others: Iterator[DecodedFrame], segment: Segment) -> Iterator[DecodedFrame]:
    if first is None:
        raise InvalidVideo(f"no frame could be decoded between {segment.start} and {segment.end} ticks")
    count, decoded = 1, first.frame is not None
    yield first
    for each in others:
        count, decoded = count + 1, decoded or each.frame is not None
        yield each
    if count != segment.frames or not decoded:
        raise InvalidVideo(
            f"{count if decoded else 0} of {segment.frames} frames could be decoded "
            f"between {segment.start} and {segment.end} ticks"
        )


@dataclass(frozen=True, slots=True)
class _Start:
    """What the beginning of a file tells, and a seek would pass over."""

    timed: bool = True
    """Whether frames have times of their own."""
    palette: PacketSideData | None = None
    """The colours of a video whose pixels are indices: FFmpeg gives them with the first packet only."""
    shifts: Sequence[Shift] = ()
    """By how much the times of the file's packets are moved."""


def _beginning(container: InputContainer, stream: VideoStream, shifts: Sequence[Shift]) -> _Start:
    """Read as much of the beginning of a file as this video needs."""
    indices = stream.codec_context.pix_fmt == "pal8"
    count = FIRST if container.format.name == "mxf" else int(indices or codec_name(stream) == "mpeg4")
    packets, shown = list(islice(packets_in(container, stream), count)), Shown(stream)
    times = [packet.pts or 0 for packet in packets if packet.size and shown(packet)]
    palette = packets[0].get_sidedata("palette") if indices and packets else None
    return _Start(not untimed(container, stream, times, packed=shown.packed), palette, shifts)


def _between(
    container: InputContainer,
    stream: VideoStream,
    segment: Segment,
    start: _Start,
    alive: Callable[[], None],
    *,
    captions: bool,
) -> Iterator[DecodedFrame]:
    """Yield the frames of a segment, with None in the place of each frame that its packet did not give as it was.

    A decoder that conceals damage in a part of a frame says so.
    """
    order = Presentation(segment.start)
    for frame in _frames(container, stream, segment, start, order, captions=captions):
        time = frame.pts if start.timed else None
        if time is None and order.awaited:
            time = order.awaited[0][0]
        if time is None:
            raise InvalidVideo("a frame has no timestamp")
        if time >= segment.end:
            break
        if time < segment.start:
            alive()
            if order.awaited and order.awaited[0][0] <= time:
                heapq.heappop(order.awaited)
            continue
        yield from order.add(frame, time)
    yield from order.end(segment.end)


def _with_end(packets: "Iterator[Packet[Any]]") -> "Iterator[tuple[Packet[Any], bool]]":
    """Yield packets, and whether each is the last one that is stored: an empty one may follow, which ends decoding."""
    held: Packet[Any] | None = None
    for packet in packets:
        if held is not None:
            yield held, held.size > 0 and not packet.size
        held = packet
    if held is not None:
        yield held, held.size > 0


def _frames(
    container: InputContainer,
    stream: VideoStream,
    segment: Segment,
    start: _Start,
    order: Presentation,
    *,
    captions: bool,
) -> Iterator[VideoFrame]:
    """Yield the decoded frames, and tell ``order`` what packets announce; damaged packets give none.

    If wanted, the captions of packets are added to those of their time. The second field of a frame may have its own.
    """
    shown, palette, codec, last = Shown(stream), start.palette, codec_name(stream), segment.start - 1
    clock = Clock(start.shifts, stream.time_base or Fraction(1))
    for packet, last_one in _with_end(packets_in(container, stream)):
        clock(packet)
        if palette is not None and packet.size:
            packet.set_sidedata(palette)
            palette = None
        time = packet.pts if packet.pts is not None else packet.dts
        begins = shown(packet)
        if last_one and begins and packet.pts is not None and packet.pts >= segment.end:
            continue  # Nothing refers to it, and the file may break off in it: threads would lose another frame.
        if begins:
            packet.duration = shown.duration(packet)
            last = time if time is not None else last
            if time is not None and (time >= segment.start or packet.pts is None or not start.timed):
                heapq.heappush(order.awaited, (time, packet.duration or 0))
        if captions and last >= segment.start and (begins or not packet.is_discard):
            order.texts[last] = order.texts.get(last, b"") + captions_in(bytes(packet), codec)
        yield from _decoded(packet, checksums=codec == "ffv1")
