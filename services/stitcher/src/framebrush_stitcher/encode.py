"""Encodes one segment."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame

from framebrush.contracts import Choice, Manifest, Timeline
from framebrush.errors import PermanentError
from framebrush.media import add_encoder, muxer_options


def choice_of(manifest: Manifest) -> Choice:
    """Return the encoder and the pixel format of a run's segments.

    Raises:
        PermanentError: There is none for this size, which the plan has already ruled out.
    """
    video = manifest.video
    choice = manifest.options.choose(video.width, video.height)
    if choice is None:
        raise PermanentError(f"{manifest.options.codec} cannot be {video.width}x{video.height}")
    return choice


def first_tick(timeline: Timeline) -> int:
    """Return the tick from which the times of a segment's file count: 0, or its first time if that is below zero.

    Files of segments have no times below zero.
    """
    return min(0, timeline.pts[0])


def encode_segment(
    frames: Iterable[VideoFrame], timeline: Timeline, manifest: Manifest, choice: Choice, path: Path, threads: int
) -> int:
    """Encode a segment's frames with their times into a file of the encoder's ``segment`` format.

    Returns:
        The largest number of places that a packet comes before its turn in the order of presentation. The join needs
        it to choose decoding times.
    """
    time_base, first, pts = Fraction(*manifest.video.time_base), first_tick(timeline), list[int]()
    file_format = choice.encoder.segment
    options = {"avoid_negative_ts": "disabled", **muxer_options(file_format, time_base)}
    with av.open(str(path), "w", format=file_format, options=options) as container:
        stream = add_encoder(container, manifest.video, manifest.options, choice, threads)
        for frame, time, duration in zip(frames, timeline.pts, timeline.durations, strict=True):
            frame.pts, frame.duration, frame.time_base = time - first, duration, time_base
            for packet in stream.encode(frame):
                pts.append(packet.pts or 0)
                container.mux(packet)
        for packet in stream.encode(None):
            pts.append(packet.pts or 0)
            container.mux(packet)
    rank = {time: index for index, time in enumerate(sorted(pts))}
    return max(position - rank[time] for position, time in enumerate(pts))
