"""A dry run of the output: its first and last seconds are made as the stitcher will make the whole, and are read back.

The pictures are small and black. All else is the input's: the times of the frames, the packets that are copied, tags,
chapters and timecode. So nothing that can be known at the beginning fails at the end.
"""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from framebrush.contracts import FORMATS, Options, Timeline, VideoProperties
from framebrush.errors import InvalidVideo
from framebrush.media import (
    INEXACT,
    Converter,
    JoinFailed,
    Recipe,
    check,
    encode_segment,
    join,
    read_display,
    strictly_increasing,
    styled,
)
from framebrush_splitter.edges import AnyPacket, Edges

SIZE = 64
"""The width and the height of the frames in pixels; all encoders accept it."""
FRAMES = 12
"""The number of frames at either end."""


@dataclass(frozen=True, slots=True)
class Film:
    """What a dry run takes from the input."""

    container: InputContainer
    """The input, opened; nothing is read from it."""
    stream: VideoStream
    """Its video."""
    pts: Sequence[int]
    """The presentation times of all frames in ticks."""
    end: int
    """The time at which the last frame ends."""
    edges: Mapping[int, Edges] = field(default_factory=dict)
    """The ends of the other streams, by their indices."""


def dry_run(
    suffix: str,
    options: Options,
    video: VideoProperties,
    film: Film | None = None,
    copied: Sequence[int] = (),
    converted: Sequence[int] = (),
) -> str | None:
    """Return why an output would not be exact, None if nothing speaks against it.

    Aspect, orientation and colours depend on the container and on the codec: some codecs carry in their packets what
    the container does not.

    Args:
        suffix: The extension that tells the container.
        options: How the run wants the output encoded.
        video: The properties of the video.
        film: The input; None tries only one frame of the video.
        copied: The indices of the streams that are copied.
        converted: The indices of those whose sound is converted.
    """
    encoder = options.sound_encoder(suffix)
    if converted and encoder is None:
        return f"{suffix} carries no sound without loss"
    sounds = {index: encoder for index in converted if encoder is not None}
    crop = film is not None and any(read_display(film.stream).crop)
    small = video if crop else video.model_copy(update={"width": SIZE, "height": SIZE})
    tried = options.model_copy(update={"encoder": "software", "preset": "ultrafast"})
    choice = tried.choose(small.width, small.height)
    if choice is None:
        return f"no encoder of {options.codec} is at hand"
    try:
        for timeline, packets in _parts(film, (*copied, *converted)):
            recipe = Recipe(
                small, choice, copied, (), fast_start=False, converted=sounds
            )  # all times are moved already
            _rehearse(FORMATS[suffix], tried, recipe, timeline, film, packets)
    except JoinFailed as error:
        return f"{suffix} with {options.codec} does not keep the film as it is: {str(error).removeprefix(INEXACT)}"
    except (av.FFmpegError, ValueError, InvalidVideo) as error:
        return f"{suffix} cannot carry {options.codec} ({choice.pixel_format}): {error}"
    return None


def _parts(film: Film | None, streams: Iterable[int]) -> Iterator[tuple[Timeline, list[AnyPacket]]]:
    """Yield the times of the frames, and the packets to copy, of the beginning and of the end of a film."""
    if film is None:
        yield Timeline(pts=(0,), durations=(1,), offsets=()), []
        return
    times = [*strictly_increasing(film.pts), film.end]
    ends = [times[: FRAMES + 1], times[-FRAMES - 1 :]] if len(times) > FRAMES + 1 else [times]
    for place, part in enumerate(ends):
        durations = [max(1, after - time) for time, after in pairwise(part)]
        edges = [list(film.edges[index].parts()) for index in streams if index in film.edges]
        chosen = [parts[min(place, len(parts) - 1)] for parts in edges]
        packets = sorted((packet for packets in chosen for packet in packets), key=_seconds)
        yield Timeline(pts=tuple(part[:-1]), durations=tuple(durations), offsets=()), packets


def _rehearse(
    format_name: str,
    options: Options,
    recipe: Recipe,
    timeline: Timeline,
    film: Film | None,
    packets: list[AnyPacket],
) -> None:
    """Make a part of an output, and check it as the stitcher does.

    Raises:
        JoinFailed: It is not exact.
    """
    segment, output, video, choice = io.BytesIO(), io.BytesIO(), recipe.video, recipe.choice
    converter = Converter(styled(video, choice.pixel_format))
    black = np.zeros((video.height, video.width, 3), np.uint8)
    frames = (converter.to_frame(black, choice.pixel_format) for _ in timeline.pts)
    reorder = encode_segment(frames, timeline, video, options, choice, segment, threads=1)
    source = film.container if film else None
    wanted = join(output, format_name, recipe, [segment], [timeline], reorder, source, packets)
    output.seek(0)
    check(output, wanted)


def _seconds(packet: AnyPacket) -> Fraction:
    time = packet.dts if packet.dts is not None else packet.pts
    return (time or 0) * packet.time_base
