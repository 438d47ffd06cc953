"""Encodes segments, and reads their packets as parts of the whole video. It needs the extra ``framebrush[video]``."""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, islice, tee
from typing import Any, TypeAlias

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framebrush.contracts import Choice, Encoding, Timeline, VideoProperties
from framebrush.errors import PermanentError
from framebrush.media.captions import with_captions
from framebrush.media.naming import codec_name
from framebrush.media.streams import add_encoder, muxer_options

AnyPacket: TypeAlias = "Packet[Any]"

UNDECODED = {"codec_whitelist": "none"}
"""The options by which FFmpeg opens a file without decoding its first frames, which of a chunk of 1280x720 takes longer
than to copy all its packets. It then does not know the pixel format, for one."""


class JoinFailed(PermanentError):
    """The segments do not fit together, or the output is not what it must be."""

    reason = "join_failed"


def encode_segment(
    frames: Iterable[VideoFrame],
    timeline: Timeline,
    video: VideoProperties,
    encoding: Encoding,
    choice: Choice,
    file: Any,
    threads: int,
) -> int:
    """Encode a segment's frames with their times into a file, or its path, of the encoder's ``segment`` format.

    Returns:
        The largest number of places that a packet comes before its turn in the order of presentation. The join needs
        it to choose decoding times.
    """
    time_base, first, pts = Fraction(*video.time_base), _first_tick(timeline), list[int]()
    captions = {at - first: each for at, each in zip(timeline.pts, timeline.captions, strict=False) if each}
    file_format = choice.encoder.segment
    options = {"avoid_negative_ts": "disabled", **muxer_options(file_format, time_base, fast_start=False)}
    with av.open(file, "w", format=file_format, options=options) as container:
        stream = add_encoder(container, video, encoding, choice, threads)
        codec = codec_name(stream)

        def store(packet: AnyPacket) -> None:
            pts.append(packet.pts or 0)
            text = captions.get(packet.pts or 0)
            container.mux(packet if text is None else _replaced(packet, with_captions(bytes(packet), text, codec)))

        for frame, time, duration in zip(frames, timeline.pts, timeline.durations, strict=True):
            frame.pts, frame.duration, frame.time_base = time - first, duration, time_base
            for packet in stream.encode(frame):
                store(packet)
        for packet in stream.encode(None):
            store(packet)
    rank = {time: index for index, time in enumerate(sorted(pts))}
    return max(position - rank[time] for position, time in enumerate(pts))


def _replaced(packet: AnyPacket, data: bytes) -> AnyPacket:
    """Return a packet with other bytes."""
    result: AnyPacket = Packet(data)
    result.pts, result.dts, result.duration = packet.pts, packet.dts, packet.duration
    result.time_base, result.stream, result.is_keyframe = packet.time_base, packet.stream, packet.is_keyframe
    return result


def video_packets(
    segments: Iterable[Any], timelines: Iterable[Timeline], reorder: int, time_base: Fraction, stream: VideoStream
) -> Iterator[AnyPacket]:
    """Yield the packets of all segments, files or their paths, in decoding order, with the timelines' times.

    One segment after the other is looked at, and its timeline.

    Raises:
        JoinFailed: A segment has other frames than its timeline, or other codec parameters than the first.
    """
    now, ahead = tee(timelines)
    decoding = decoding_times((time for timeline in ahead for time in timeline.pts), reorder)
    for number, (file, timeline) in enumerate(zip(segments, now, strict=True)):
        with open_segment(file, UNDECODED) as container:
            source = container.streams.video[0]
            if source.codec_context.extradata != stream.codec_context.extradata:
                raise JoinFailed(f"segment {number} was encoded with other parameters than the first")
            missing, durations = set(timeline.pts), dict(zip(timeline.pts, timeline.durations, strict=True))
            first, ticks = _first_tick(timeline), (source.time_base or Fraction(1)) / time_base
            for packet in container.demux(source):
                if not packet.size:
                    continue
                whole = (2 * (packet.pts or 0) * ticks.numerator + ticks.denominator) // (2 * ticks.denominator)
                packet.pts = whole + first
                if packet.pts not in missing:
                    raise JoinFailed(f"segment {number} has other frames than its timeline")
                missing.remove(packet.pts)
                packet.dts, packet.duration = next(decoding), durations[packet.pts]
                packet.time_base, packet.stream = time_base, stream
                yield packet
            if missing:
                raise JoinFailed(f"segment {number} has fewer frames than its timeline")


def open_segment(file: Any, options: dict[str, str] | None = None) -> InputContainer:
    """Open a segment, a file or its path, at its beginning, with options of the demuxer."""
    if not isinstance(file, str):
        file.seek(0)
    container: InputContainer = av.open(file, "r", container_options=options)
    return container


def decoding_times(pts: Iterable[int], reorder: int) -> Iterator[int]:
    """Yield the decoding times of packets whose presentation times, in increasing order, are ``pts``.

    The packet in place *i* of the decoding order is never shown before the frame in place *i - reorder* of the order
    of presentation. So the time of that frame is early enough, whichever packet it is. Segments thus join without a gap
    or an overlap in decoding times, whatever the frame rate does at their borders.

    Args:
        pts: Presentation times in ticks, strictly increasing.
        reorder: The largest number of places that a packet comes before its turn in the order of presentation.
    """
    times = iter(pts)
    begin = list(islice(times, 2))
    step = begin[1] - begin[0] if len(begin) > 1 else 1
    waiting = deque(begin[0] - step * (reorder - place) for place in range(reorder))
    for time in chain(begin, times):
        waiting.append(time)
        yield waiting.popleft()


def _first_tick(timeline: Timeline) -> int:
    """Return the tick from which the times of a segment's file count: 0, or its first time if that is below zero.

    Files of segments have no times below zero.
    """
    return min(0, timeline.pts[0])
