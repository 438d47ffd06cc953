"""A dry run of the output: one small frame is encoded and muxed as the video will be, and is read back."""

import io
from array import array
from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
from av.video.stream import VideoStream

from framebrush.contracts import FORMATS, Choice, Options, VideoProperties
from framebrush.media import (
    Converter,
    Display,
    MediaInfo,
    add_copy,
    add_encoder,
    content,
    muxer_options,
    read_display,
    read_media_info,
    styled,
    template,
)

SIZE = 64
"""The width and the height of that frame in pixels; all encoders accept it."""


def dry_run(suffix: str, options: Options, video: VideoProperties, source: VideoStream | None = None) -> str | None:
    """Return why an output would not keep aspect, orientation, colours and crop of a video, None if it keeps them.

    It depends on the container and on the codec: some codecs carry in their packets what the container does not.

    Args:
        suffix: The extension that tells the container.
        options: How the run wants the output encoded.
        video: The properties of the video.
        source: The video stream of the input; None for a plain one.
    """
    display = read_display(source) if source else Display()
    small = video if any(display.crop) else video.model_copy(update={"width": SIZE, "height": SIZE})
    tried = options.model_copy(update={"encoder": "software", "preset": "ultrafast"})
    choice = tried.choose(small.width, small.height)
    if choice is None:
        return f"no encoder of {options.codec} is at hand"
    try:
        found = _encode_and_mux(suffix, tried, small, choice, source)
    except (av.FFmpegError, ValueError) as error:
        return f"{suffix} cannot carry {options.codec} ({choice.pixel_format}): {error}"
    wanted = replace(found, video=small, times=array("q", [0]), tracks=(), display=display)
    failed = [check for check in content(wanted, found) if not check.ok]
    words = "; ".join(f"{check.name} {check.wanted} would be {check.found}" for check in failed)
    return f"{suffix} with {options.codec} does not keep the video as it is: {words}" if failed else None


def _encode_and_mux(
    suffix: str, options: Options, video: VideoProperties, choice: Choice, source: VideoStream | None
) -> MediaInfo:
    segment, output = io.BytesIO(), io.BytesIO()
    with av.open(segment, "w", format=choice.encoder.segment) as container:
        encoder = add_encoder(container, video, options, choice, threads=1)
        black = np.zeros((video.height, video.width, 3), np.uint8)
        frame = Converter(styled(video, choice.pixel_format)).to_frame(black, choice.pixel_format)
        frame.pts, frame.time_base = 0, encoder.time_base
        for packet in (*encoder.encode(frame), *encoder.encode(None)):
            container.mux(packet)
    options_of_muxer = muxer_options(FORMATS[suffix], Fraction(*video.time_base), fast_start=False)
    with (
        av.open(io.BytesIO(segment.getvalue()), "r") as first,
        av.open(io.BytesIO(segment.getvalue()), "r") as encoded,
        av.open(output, "w", format=FORMATS[suffix], options=options_of_muxer) as container,
    ):
        like = template(first, source) if source else first.streams.video[0]
        stream = add_copy(container, first.streams.video[0], video, choice, like)
        for packet in encoded.demux(video=0):
            if packet.size:
                packet.stream = stream
                container.mux(packet)
    output.seek(0)
    with av.open(output, "r") as result:
        return read_media_info(result)
