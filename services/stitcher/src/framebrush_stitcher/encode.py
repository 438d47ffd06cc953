"""Encoding one segment."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
from av.codec.context import Flags
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framebrush.colors import full_range, styled
from framebrush.manifest import Manifest, Timeline, VideoProperties

MBTREE_PIXELS = 640 * 360
"""Below, x264's macroblock tree is off: with AVX-512 it reads memory it did not write when frames are small (seen with
x264 165 from 64x48 to 480x270), and the same frames give other bytes every time."""


def pixel_format(video: VideoProperties, requested: str) -> str:
    """The pixel format to encode: H.264 cannot halve the chroma of an odd size."""
    if requested == "auto":
        return "yuv444p" if video.width % 2 or video.height % 2 else "yuv420p"
    return requested


def encode_segment(
    frames: Iterable[VideoFrame], timeline: Timeline, manifest: Manifest, path: Path, threads: int
) -> int:
    """Encode a segment's frames with their times into a NUT file, which keeps any time base exactly.

    Returns:
        How many places a packet comes before its turn in order of presentation, at most: the join needs it to
        choose decoding times.
    """
    time_base, pts = Fraction(*manifest.video.time_base), list[int]()
    with av.open(str(path), "w", format="nut", options={"avoid_negative_ts": "disabled"}) as container:
        stream = container.add_stream("libx264")
        _configure(stream, manifest, threads)
        for frame, time, duration in zip(frames, timeline.pts, timeline.durations, strict=True):
            frame.pts, frame.duration, frame.time_base = time, duration, time_base
            for packet in stream.encode(frame):
                pts.append(packet.pts or 0)
                container.mux(packet)
        for packet in stream.encode(None):
            pts.append(packet.pts or 0)
            container.mux(packet)
    rank = {time: index for index, time in enumerate(sorted(pts))}
    return max(position - rank[time] for position, time in enumerate(pts))


def _configure(stream: VideoStream, manifest: Manifest, threads: int) -> None:
    video, options, codec = styled(manifest.video), manifest.options, stream.codec_context
    codec.width, codec.height = video.width, video.height
    codec.pix_fmt = pixel_format(video, options.pixel_format)
    codec.time_base = stream.time_base = Fraction(*video.time_base)
    if video.frame_rate is not None:
        codec.framerate = Fraction(*video.frame_rate)
    if video.sample_aspect_ratio is not None:
        codec.sample_aspect_ratio = Fraction(*video.sample_aspect_ratio)
    codec.color_range = full_range(video)
    codec.colorspace, codec.color_trc, codec.color_primaries = video.color_space, video.color_trc, video.color_primaries
    codec.options = {"crf": str(options.crf), "preset": options.preset}
    if video.width * video.height < MBTREE_PIXELS:
        codec.options = {**codec.options, "x264-params": "mbtree=0"}
    codec.thread_count = threads
    codec.flags |= Flags.global_header  # parameter sets once, outside of the packets: the same for all segments
