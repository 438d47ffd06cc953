"""The output's video stream, encoded and copied. Needs the extra ``framebrush[video]``.

It is here so that the splitter can try in a dry run what the stitcher will do.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import cast

from av.codec.context import Flags
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from framebrush.contracts import Choice, Encoding, VideoProperties
from framebrush.media.colors import full_range, named, styled

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 writes to stderr by itself: errors only

MOVIE_TIMESCALE = 2**24
"""Most ticks a second of a whole movie."""
TAGGED = {"mp4": ("hvc1", "apch", "ap4h"), "mov": ("hvc1", "apch", "ap4h"), "matroska": ("apch", "ap4h")}
"""The FourCCs that a container is told: Apple's players want HEVC's, and ProRes' tell its profile."""


def add_encoder(
    container: OutputContainer, video: VideoProperties, encoding: Encoding, choice: Choice, threads: int
) -> VideoStream:
    """A stream whose encoder takes frames of ``choice.pixel_format``, with the video's size, times and tags."""
    stream = cast(VideoStream, container.add_stream(choice.encoder.name))
    codec = stream.codec_context
    codec.width, codec.height, codec.pix_fmt = video.width, video.height, choice.pixel_format
    codec.time_base = stream.time_base = Fraction(*video.time_base)
    if video.frame_rate is not None:
        codec.framerate = Fraction(*video.frame_rate)
    out = _described(video, choice)
    _tag(codec, out)
    codec.color_range = full_range(out)
    codec.options = encoding.options(choice.encoder, video.width * video.height)
    codec.thread_count = threads
    codec.flags |= Flags.global_header  # parameter sets once, outside of the packets: the same for all segments
    open_encoder(codec)
    return stream


def open_encoder(codec: VideoCodecContext) -> None:
    """Open it, and leave every thread of this process with an ordinary priority.

    As root SVT-AV1 gives its own threads, and the one that opens it, the highest real-time priority (SCHED_FIFO 99):
    whatever this process does or starts from then on would be served before anything else on the machine.
    """
    codec.open(strict=False)
    if codec.name == "libsvtav1":
        for thread in Path("/proc/self/task").glob("*"):  # all of them exist by now; no such folder, no such priority
            with suppress(ProcessLookupError):
                os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))


def add_copy(container: OutputContainer, encoded: VideoStream, video: VideoProperties, choice: Choice) -> VideoStream:
    """A stream for the packets of ``encoded``, with the video's display matrix and with tags that these may lack."""
    stream: VideoStream = container.add_stream_from_template(encoded, opaque=True)
    stream.time_base = Fraction(*video.time_base)
    out = _described(video, choice)
    _tag(stream.codec_context, out)
    if full_range(out) == ColorRange.JPEG:
        stream.codec_context.color_range = ColorRange.JPEG
    if choice.encoder.tag in TAGGED.get(container.format.name, ()):
        stream.codec_context.codec_tag = choice.encoder.tag
    if video.rotation is not None:
        stream.set_display_matrix(video.rotation)
    return stream


def muxer_options(
    format_name: str, time_base: Fraction, others: Sequence[Fraction] = (), *, fast_start: bool = True
) -> dict[str, str]:
    """What a muxer is told so that times stay exact: of the video, and of ``others``."""
    if format_name in ("matroska", "webm"):
        return {"fflags": "+bitexact"}  # no random ids: the same run gives the same bytes
    if format_name not in ("mp4", "mov"):
        return {}
    options = {"movflags": "+faststart"} if fast_start else {}
    if time_base.numerator == 1:
        options["video_track_timescale"] = str(time_base.denominator)  # keeps ticks as they were
    # Where streams begin is told in ticks of the whole movie: by default milliseconds, which would be rounded to.
    movie = lcm(*(base.denominator for base in (time_base, *others)))
    if movie <= MOVIE_TIMESCALE:
        options["movie_timescale"] = str(movie)
    return options


def _described(video: VideoProperties, choice: Choice) -> VideoProperties:
    out = styled(video, choice.pixel_format)
    return named(out) if choice.encoder.names_matrix else out


def _tag(codec: VideoCodecContext, out: VideoProperties) -> None:
    if out.sample_aspect_ratio is not None:
        codec.sample_aspect_ratio = Fraction(*out.sample_aspect_ratio)
    codec.colorspace, codec.color_trc, codec.color_primaries = out.color_space, out.color_trc, out.color_primaries
