"""Makes the output's video stream, encoded and copied. It needs the extra ``framebrush[video]``.

It is shared so that the splitter can try in a dry run what the stitcher will do.
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
from framebrush.media.display import UNOFFICIAL

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 writes to stderr by itself; this leaves its errors only.

MOVIE_TIMESCALE, LARGEST_TIMESCALE = 2**24, 2**31 - 1
"""The number of ticks per second of a whole movie that is enough for most, and the largest that there can be."""
TEXT = 1000
"""The ticks per second of texts, whatever their container counts in."""
TAGGED = {"mp4": ("hvc1", "apch", "ap4h"), "mov": ("hvc1", "apch", "ap4h"), "matroska": ("apch", "ap4h")}
"""The FourCCs that each container gets. Apple's players need that of HEVC, and those of ProRes tell its profile."""


def add_encoder(
    container: OutputContainer, video: VideoProperties, encoding: Encoding, choice: Choice, threads: int
) -> VideoStream:
    """Add a stream whose encoder takes frames of ``choice.pixel_format``, with the video's size, times and tags."""
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
    codec.flags |= Flags.global_header  # Segments share the parameter sets.
    open_encoder(codec)
    return stream


def open_encoder(codec: VideoCodecContext) -> None:
    """Open an encoder, and leave every thread of this process with an ordinary priority.

    As root, SVT-AV1 gives the highest real-time priority (SCHED_FIFO 99) to its own threads and to the one that opens
    it. Whatever this process did or started from then on would be served before anything else on the machine.
    """
    codec.open(strict=False)
    if codec.name == "libsvtav1":
        # All threads exist by now. Systems without this folder have no such priority.
        for thread in Path("/proc/self/task").glob("*"):
            with suppress(ProcessLookupError):
                os.sched_setscheduler(int(thread.name), os.SCHED_OTHER, os.sched_param(0))


def add_copy(
    container: OutputContainer, encoded: VideoStream, video: VideoProperties, choice: Choice, like: VideoStream
) -> VideoStream:
    """Add a stream for the packets of ``encoded``, with the video's display matrix and the tags that they may lack.

    Args:
        container: The output.
        encoded: The video stream of an encoded segment.
        video: The properties of the input's video.
        choice: How the segment is encoded.
        like: The stream that :func:`template` gives: ``encoded``, as it is to be shown.
    """
    stream: VideoStream = container.add_stream_from_template(like, opaque=True)
    if like is not encoded:  # It comes from Matroska, which has a form of its own for both.
        stream.codec_context.extradata = encoded.codec_context.extradata
        stream.codec_context.sample_aspect_ratio = Fraction(1)
    stream.time_base = Fraction(*video.time_base)
    if video.frame_rate is not None:  # By default it is the number of ticks per second.
        stream.codec_context.framerate = Fraction(*video.frame_rate)
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
    format_name: str,
    time_base: Fraction,
    others: Sequence[Fraction] = (),
    texts: Sequence[Fraction] = (),
    *,
    fast_start: bool = True,
    keys: bool = False,
) -> dict[str, str]:
    """Return the options of a muxer that keep the times of all streams exact.

    Args:
        format_name: FFmpeg's name of the format.
        time_base: The duration of a tick of the video, in seconds.
        others: Those of sounds.
        texts: Those of subtitles, which are often far finer than what they say.
        fast_start: Whether the index comes at the beginning.
        keys: Whether tags are named by keys, see :func:`framebrush.media.tags.needs_keys`.
    """
    if format_name in ("matroska", "webm"):
        return UNOFFICIAL | {
            "fflags": "+bitexact"
        }  # There are no random ids, so that the same run gives the same bytes.
    if format_name not in ("mp4", "mov"):
        return {}
    flags = "+faststart" * fast_start + "+use_metadata_tags" * keys
    options = UNOFFICIAL | ({"movflags": flags} if flags else {})
    if time_base.numerator == 1:
        options["video_track_timescale"] = str(time_base.denominator)  # This keeps ticks as they were.
    # Where streams begin is written in ticks of the whole movie. By default these are milliseconds, and would round.
    movie = lcm(*(base.denominator for base in (time_base, *others, *texts)))
    if movie > MOVIE_TIMESCALE and texts:
        movie = lcm(TEXT, *(base.denominator for base in (time_base, *others)))
    if movie <= LARGEST_TIMESCALE:
        options["movie_timescale"] = str(movie)
    return options


def _described(video: VideoProperties, choice: Choice) -> VideoProperties:
    out = styled(video, choice.pixel_format)
    return named(out) if choice.encoder.names_matrix else out


def _tag(codec: VideoCodecContext, out: VideoProperties) -> None:
    if out.sample_aspect_ratio is not None:
        codec.sample_aspect_ratio = Fraction(*out.sample_aspect_ratio)
    codec.colorspace, codec.color_trc, codec.color_primaries = out.color_space, out.color_trc, out.color_primaries
