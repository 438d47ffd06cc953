"""Segments keep all times, also those below zero, which files of segments have not."""

import io
from fractions import Fraction

import av
import pytest
from support.film import Film

from framebrush.contracts import Options, Timeline, VideoProperties
from framebrush.media import Recipe, check, encode_segment, join

VIDEO = VideoProperties(
    stream=0, codec="h264", width=64, height=48, pixel_format="yuv420p", time_base=(1, 90000), frame_rate=(25, 1),
    sample_aspect_ratio=(1, 1), rotation=None, color_range=1, color_primaries=1, color_trc=1, color_space=1,
)  # fmt: skip
FILM = Film(pts=range(6), time_base=Fraction(1, 25))


@pytest.mark.parametrize("start", [0, -2494, -(2**33)], ids=["at zero", "below zero", "far below zero"])
@pytest.mark.parametrize("codec", ["h264", "ffv1"])
def test_times_below_zero_survive_encoding_and_joining(start: int, codec: str) -> None:
    options = Options(codec=codec, preset="ultrafast")  # type: ignore[arg-type]
    choice = options.choose(VIDEO.width, VIDEO.height)
    assert choice is not None
    times = [start + 3600 * number for number in range(12)]
    timelines = [Timeline(pts=tuple(part), durations=(3600,) * 6, offsets=()) for part in (times[:6], times[6:])]
    segments, reorder = [io.BytesIO(), io.BytesIO()], 0
    for file, timeline in zip(segments, timelines, strict=True):
        frames = (frame.reformat(format=choice.pixel_format) for frame in FILM.frames())
        reorder = max(reorder, encode_segment(frames, timeline, VIDEO, options, choice, file, threads=1))
    output = io.BytesIO()
    recipe = Recipe(VIDEO, choice, (), (), fast_start=False)
    wanted = join(output, "matroska", recipe, segments, timelines, reorder, None)
    assert list(wanted.times) == times
    output.seek(0)
    assert all(each.ok for each in check(output, wanted))
    output.seek(0)
    with av.open(output, "r") as container:
        assert sum(1 for _ in container.decode(video=0)) == 12
