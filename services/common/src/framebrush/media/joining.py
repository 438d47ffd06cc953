"""Makes an output of encoded video and copied streams. It needs the extra ``framebrush[video]``.

It is shared: the splitter rehearses with the first and the last seconds what the stitcher does with the whole.
"""

import heapq
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias, cast

import av
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import AttachmentStream, Discard, Stream
from av.video.stream import VideoStream

from framebrush.contracts import Check, Choice, Shift, Timeline, VideoProperties
from framebrush.media.captions import SLICES, hashed
from framebrush.media.clock import Clock
from framebrush.media.conversion import Conversion, rate_for
from framebrush.media.display import read_display, template
from framebrush.media.inspection import MediaInfo, labels_of, read_media_info, timecode_of
from framebrush.media.naming import codec_name
from framebrush.media.order import Order
from framebrush.media.priming import primed
from framebrush.media.segments import JoinFailed, open_segment, video_packets
from framebrush.media.streams import add_copy, muxer_options
from framebrush.media.switches import WRITTEN, switch_off, switched_off
from framebrush.media.tags import CHAPTERED, lost_tags, needs_keys, tags_of
from framebrush.media.tracks import Track, title_of
from framebrush.media.verification import compare, content

AnyPacket: TypeAlias = "Packet[Any]"


INEXACT = "the output is not exact: "


@dataclass(frozen=True)
class Recipe:
    """What an output is made of, beside its packets."""

    video: VideoProperties
    choice: Choice
    """How the video is encoded."""
    copied: Sequence[int]
    """The indices of the input's streams whose packets go into the output."""
    shifts: Sequence[Shift]
    """By how much the times of the input's packets are moved."""
    fast_start: bool
    """Whether the index comes at the beginning."""
    converted: Mapping[int, str] = field(default_factory=dict)
    """FFmpeg's encoders of the input's streams of sound that are converted, by the index of the stream."""


def join(
    output: Any,
    format_name: str,
    recipe: Recipe,
    segments: Iterable[Any],
    timelines: Iterable[Timeline],
    reorder: int,
    source: InputContainer | None,
    packets: Iterable[AnyPacket] | None = None,
) -> MediaInfo:
    """Write an output: the packets of the segments, and those of the copied streams as they are.

    Args:
        output: The path of the output, or a file to write to.
        format_name: FFmpeg's name of its format.
        recipe: What it is made of.
        segments: The paths of the encoded segments, or files. Each is asked for when those before it are written, and
            closed then, but for the first.
        timelines: The times of their frames, which are read once.
        reorder: The largest number of places that a packet comes before its turn in the order of presentation.
        source: The input, opened and not yet read from; None for an output that has nothing of it but the video.
        packets: The packets to copy; by default all of ``source``.

    Returns:
        The media info that reading the output must give.

    Raises:
        JoinFailed: The segments do not fit together.
    """
    time_base, streams = Fraction(*recipe.video.time_base), source.streams if source else ()
    tracks = {s.index: Track.of(s) for s in streams if s.index in (*recipe.copied, *recipe.converted)}
    others = [track.time_base for track in tracks.values() if track.kind != "subtitle"]
    texts = [track.time_base for track in tracks.values() if track.kind == "subtitle"]
    others += [Fraction(1, rate_for(streams[index], encoder)) for index, encoder in recipe.converted.items()]
    tags = tags_of(source.metadata) if source else {}
    keys = needs_keys(tags, format_name)
    options = muxer_options(format_name, time_base, others, texts, fast_start=recipe.fast_start, keys=keys)
    times, length = array("q"), None  # 8 bytes a frame: some MB an hour
    following = iter(segments)
    begin = next(following)
    captions = array("Q")

    def noted() -> Iterator[Timeline]:
        nonlocal length
        for timeline in timelines:
            times.extend(timeline.pts)
            captions.extend(map(hashed, timeline.captions or [b""] * timeline.frames))
            length = timeline.durations[-1] or None
            yield timeline

    with (
        av.open(output, "w", format=format_name, options=options) as container,
        open_segment(begin) as first,
    ):
        carrying = codec_name(first.streams.video[0]) in SLICES
        video, copies, conversions = _add_streams(container, first, source, recipe)
        if source is not None:
            container.metadata.update(tags)
            container.set_chapters(source.chapters())
        if source is not None and packets is None and copies:
            for stream in source.streams:
                if stream.index not in copies:
                    stream.discard = Discard.all  # Demuxers pass over its bytes where they can.
            packets = source.demux([source.streams[index] for index in copies])
        tracks |= {index: conversion.track() for index, conversion in conversions.items()}
        frames = video_packets(chain([begin], following), noted(), reorder, time_base, video)
        orders = {stream.index: Order.of(stream, format_name) for stream in streams if stream.index in tracks}
        copied = _copied(packets or (), copies, conversions, tracks, orders, Clock(recipe.shifts, time_base))
        for _, packet in heapq.merge(_timed(frames), _timed(copied), key=itemgetter(0)):
            container.mux(packet)
        off = switched_off(list(streams), copies) if format_name in WRITTEN else []
    if off:
        switch_off(output, off)
    for index, conversion in conversions.items():
        tracks[index].heard = conversion.heard
    muxed = tuple(track for index, track in tracks.items() if index in copies)
    if source is None:
        return MediaInfo(recipe.video, times, muxed, (), {}, (), length=length)
    captions = captions if carrying and any(captions) else array("Q")
    chapters, metadata, attachments = labels_of(source, recipe.copied)
    if format_name in CHAPTERED and chapters:  # The first one begins at zero, and a note tells it.
        chapters = (Fraction(0), *chapters[0][1:]), *chapters[1:]
    metadata = {name: text for name, text in metadata.items() if name not in lost_tags(tags, format_name)}
    styled = cast(VideoStream, source.streams[recipe.video.stream])
    shown, timecode = read_display(styled), timecode_of(source, styled)
    labels = chapters, metadata, attachments
    return MediaInfo(recipe.video, times, muxed, *labels, shown, timecode, length, source.format.name, captions)


def check(output: Any, wanted: MediaInfo) -> tuple[Check, ...]:
    """Read an output back, a file or its path, and compare it with what it must be.

    Returns:
        All checks. Those of labels, such as languages, may have failed.

    Raises:
        JoinFailed: Frames, times, sound, subtitles, size or colours differ. The text says which.
    """
    with av.open(output, "r") as container:
        found = read_media_info(container)
    failed = [check for check in content(wanted, found) if not check.ok]
    if failed:
        words = "; ".join(f"{check.name}: {check.found} instead of {check.wanted}" for check in failed)
        raise JoinFailed(f"{INEXACT}{words}"[:2048])
    return compare(wanted, found)


def add_untouched(container: OutputContainer, stream: Stream) -> Stream:
    """Add a stream for packets that are copied, with everything that its container tells of it.

    Raises:
        ValueError: The output's format does not carry the codec.
    """
    try:
        copy: Stream = container.add_stream_from_template(primed(stream, container.format.name), opaque=True)
    except ValueError:
        if container.format.name != "matroska" or stream.type != "audio" or stream.codec_context is None:
            raise
        # Matroska carries what WAV does, too, but not by a name of its own, and PyAV asks for that.
        copy = container.add_mux_stream("pcm_s16le")
        BitStreamFilterContext("null", in_stream=stream, out_stream=copy)
        if stream.time_base is not None:
            copy.time_base = stream.time_base
    copy.metadata.update(stream.metadata)
    if title := title_of(stream):
        copy.metadata["title"] = title
    copy.disposition = stream.disposition
    return copy


def _add_streams(
    container: OutputContainer, encoded: InputContainer, source: InputContainer | None, recipe: Recipe
) -> tuple[VideoStream, dict[int, Stream], dict[int, Conversion]]:
    """Add the output's streams in the input's order.

    Returns:
        The video stream, the others by the input's index, and the conversions of those that are converted.
    """
    if source is None:
        plain = encoded.streams.video[0]
        return add_copy(container, plain, recipe.video, recipe.choice, plain), {}, {}
    copies, conversions = dict[int, Stream](), dict[int, Conversion]()
    for stream in source.streams:
        if stream.index == recipe.video.stream:
            like = template(encoded, cast(VideoStream, stream))
            video = add_copy(container, encoded.streams.video[0], recipe.video, recipe.choice, like)
            video.disposition = stream.disposition
            video.metadata.update(stream.metadata)
            if title := title_of(stream):
                video.metadata["title"] = title
            timecode = timecode_of(source, stream)
            if timecode is not None:  # Muxers look for it here, and write a track of their own where they have to.
                video.metadata["timecode"] = timecode
        elif stream.index in recipe.converted:
            encoder = recipe.converted[stream.index]
            conversions[stream.index] = Conversion(cast(AudioStream, stream), encoder, container)
            copies[stream.index] = conversions[stream.index].stream
        elif stream.index not in recipe.copied:
            continue
        elif isinstance(stream, AttachmentStream):
            name = stream.metadata.get("filename", f"attachment {stream.index}")
            container.add_attachment(name, stream.mimetype or "application/octet-stream", stream.data)
        else:
            copies[stream.index] = add_untouched(container, stream)
    return video, copies, conversions


def _copied(
    packets: Iterable[AnyPacket],
    copies: dict[int, Stream],
    conversions: dict[int, Conversion],
    tracks: dict[int, Track],
    orders: dict[int, Order],
    clock: Clock,
) -> Iterator[AnyPacket]:
    for packet in packets:
        index = packet.stream.index
        clock(packet)
        if index in conversions:
            yield from _noted(conversions[index](packet), tracks[index])
        elif tracks[index].keeps(packet):
            orders[index](packet)
            tracks[index].add(packet)
            packet.stream = copies[index]
            yield packet
    for index, conversion in conversions.items():
        yield from _noted(conversion.end(), tracks[index])


def _noted(packets: Iterable[AnyPacket], track: Track) -> Iterator[AnyPacket]:
    for packet in packets:
        track.add(packet)
        yield packet


def _timed(packets: Iterable[AnyPacket]) -> Iterator[tuple[float, AnyPacket]]:
    """Yield each packet behind its time in seconds."""
    ticks = dict[int, float]()
    for packet in packets:
        index, time = packet.stream_index, packet.dts if packet.dts is not None else packet.pts
        if index not in ticks:
            ticks[index] = float(packet.time_base)  # A fraction for each packet would take longer than to write it.
        yield (time or 0) * ticks[index], packet
