"""Joins encoded segments and the input's other streams into the output."""

import heapq
from array import array
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Stream
from av.video.stream import VideoStream

from framebrush.contracts import Check, Manifest, Timeline
from framebrush.errors import PermanentError
from framebrush.media import (
    Clock,
    MediaInfo,
    Track,
    add_copy,
    compare,
    content,
    labels_of,
    muxer_options,
    read_media_info,
    timecode_of,
)
from framebrush_stitcher.encode import choice_of, first_tick

AnyPacket: TypeAlias = "Packet[Any]"


class JoinFailed(PermanentError):
    """The segments do not fit together, or the output is not what it must be."""

    reason = "join_failed"


def decoding_times(pts: Sequence[int], reorder: int) -> list[int]:
    """Return the decoding times of packets whose presentation times, in increasing order, are ``pts``.

    The packet in place *i* of the decoding order is never shown before the frame in place *i - reorder* of the order
    of presentation. So the time of that frame is early enough, whichever packet it is. Segments thus join without a gap
    or an overlap in decoding times, whatever the frame rate does at their borders.

    Args:
        pts: Presentation times in ticks, strictly increasing.
        reorder: The largest number of places that a packet comes before its turn in the order of presentation.
    """
    step = pts[1] - pts[0] if len(pts) > 1 else 1
    return [pts[0] - step * (reorder - place) for place in range(min(reorder, len(pts)))] + list(
        pts[: max(0, len(pts) - reorder)]
    )


def video_packets(
    segments: Iterable[Path], timelines: Sequence[Timeline], reorder: int, time_base: Fraction, stream: VideoStream
) -> Iterator[AnyPacket]:
    """Yield the packets of all segments in decoding order, with the timelines' times.

    Raises:
        JoinFailed: A segment has other frames than its timeline, or other codec parameters than the first.
    """
    pts = [time for timeline in timelines for time in timeline.pts]
    durations = dict(zip(pts, (d for timeline in timelines for d in timeline.durations), strict=True))
    dts, place = decoding_times(pts, reorder), 0
    for number, (path, timeline) in enumerate(zip(segments, timelines, strict=True)):
        with av.open(str(path)) as container:
            source = container.streams.video[0]
            if source.codec_context.extradata != stream.codec_context.extradata:
                raise JoinFailed(f"segment {number} was encoded with other parameters than the first")
            missing = set(timeline.pts)
            for packet in container.demux(source):
                if not packet.size:
                    continue
                packet.pts = _ticks(packet, time_base) + first_tick(timeline)
                if packet.pts not in missing:
                    raise JoinFailed(f"segment {number} has other frames than its timeline")
                missing.remove(packet.pts)
                packet.dts, packet.duration = dts[place], durations[packet.pts]
                packet.time_base, packet.stream = time_base, stream
                place += 1
                yield packet
            if missing:
                raise JoinFailed(f"segment {number} has fewer frames than its timeline")


def join(
    segments: Sequence[Path],
    timelines: Sequence[Timeline],
    reorder: int,
    manifest: Manifest,
    source: InputContainer,
    output: Path,
    format_name: str,
) -> MediaInfo:
    """Write the output: the segments' video packets, and the packets of the copied streams of ``source`` as they are.

    Returns:
        The media info that reading the output must give.

    Raises:
        JoinFailed: The segments do not fit together.
    """
    time_base = Fraction(*manifest.video.time_base)
    tracks = {s.index: Track.of(s) for s in source.streams if s.index in manifest.copied_streams}
    others = [track.time_base for track in tracks.values()]
    options = muxer_options(format_name, time_base, others, fast_start=manifest.options.fast_start)
    with (
        av.open(str(output), "w", format=format_name, options=options) as container,
        av.open(str(segments[0])) as first,
    ):
        video, copies = _add_streams(container, first.streams.video[0], source, manifest)
        container.metadata.update(source.metadata)
        container.set_chapters(source.chapters())
        packets = heapq.merge(
            video_packets(segments, timelines, reorder, time_base, video),
            _copied(source, copies, tracks, Clock(manifest.shifts, time_base)),
            key=_seconds,
        )
        for packet in packets:
            container.mux(packet)
    times = array("q", (time for timeline in timelines for time in timeline.pts))
    muxed = tuple(track for index, track in tracks.items() if index in copies)
    labels = labels_of(source, manifest.copied_streams)
    return MediaInfo(manifest.video, times, muxed, *labels, timecode_of(source, source.streams[manifest.video.stream]))


def _add_streams(
    container: OutputContainer, encoded: VideoStream, source: InputContainer, manifest: Manifest
) -> tuple[VideoStream, dict[int, Stream]]:
    """Add the output's streams in the input's order. Return the video stream, and the copies by the input's index."""
    copies = dict[int, Stream]()
    for stream in source.streams:
        if stream.index == manifest.video.stream:
            video = add_copy(container, encoded, manifest.video, choice_of(manifest))
            video.disposition = stream.disposition
            video.metadata.update(stream.metadata)
            timecode = timecode_of(source, stream)
            if timecode is not None:  # Muxers look for it here, and write a track of their own where they have to.
                video.metadata["timecode"] = timecode
        elif stream.index not in manifest.copied_streams:
            continue
        elif isinstance(stream, AttachmentStream):
            name = stream.metadata.get("filename", f"attachment {stream.index}")
            container.add_attachment(name, stream.mimetype or "application/octet-stream", stream.data)
        else:
            copies[stream.index] = copy = container.add_stream_from_template(stream, opaque=True)
            copy.metadata.update(stream.metadata)
            copy.disposition = stream.disposition
    return video, copies


def _copied(
    source: InputContainer, copies: dict[int, Stream], tracks: dict[int, Track], clock: Clock
) -> Iterator[AnyPacket]:
    if not copies:
        return
    for packet in source.demux([stream for stream in source.streams if stream.index in copies]):
        index = packet.stream.index
        clock(packet)
        if tracks[index].keeps(packet):
            tracks[index].add(packet)
            packet.stream = copies[index]
            yield packet


def _seconds(packet: AnyPacket) -> float:
    time = packet.dts if packet.dts is not None else packet.pts
    return float((time or 0) * packet.time_base)


def _ticks(packet: AnyPacket, time_base: Fraction) -> int:
    return round((packet.pts or 0) * packet.time_base / time_base)


def check(output: Path, wanted: MediaInfo) -> tuple[Check, ...]:
    """Read the output back and compare it with what it must be.

    Returns:
        All checks. Those of labels, such as languages, may have failed.

    Raises:
        JoinFailed: Frames, times, sound, subtitles, size or colours differ. The text says which.
    """
    with av.open(str(output)) as container:
        found = read_media_info(container)
    failed = [check for check in content(wanted, found) if not check.ok]
    if failed:
        words = "; ".join(f"{check.name}: {check.found} instead of {check.wanted}" for check in failed)
        raise JoinFailed(f"the output is not exact: {words}"[:2048])
    return compare(wanted, found)
