"""Segments keep all times, also those below zero, which files of segments have not."""

import io
from fractions import Fraction

import av
import pytest
from support.film import Film

from framebrush.contracts import Options, Timeline, VideoProperties
from framebrush.contracts.codecs import ENCODERS, Encoder
from framebrush.media import Recipe, check, encode_segment, join
from framebrush.media.segments import UNDECODED, open_segment

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


@pytest.mark.parametrize(
    "encoder", [e for e in ENCODERS if e.backend == "software"], ids=lambda e: f"{e.name} {next(iter(e.formats))[0]}"
)
def test_a_segment_that_is_not_decoded_gives_the_same_packets(encoder: Encoder) -> None:
    film, ((colors, bits), pixels) = Film(pts=range(12), size=(64, 64)), next(iter(encoder.formats.items()))
    options = Options(codec=encoder.codec, pixel_format=colors, bits=bits)  # type: ignore[arg-type]
    choice = options.choose(64, 64)
    assert choice is not None
    assert choice.encoder is encoder
    timeline = Timeline(pts=tuple(range(0, 12 * 3600, 3600)), durations=(3600,) * 12, offsets=())
    file, found = io.BytesIO(), []
    frames = (frame.reformat(format=pixels) for frame in film.frames())
    encode_segment(frames, timeline, VIDEO.model_copy(update={"height": 64}), options, choice, file, threads=1)
    for how in (None, UNDECODED):
        with open_segment(file, how) as container:
            stream = container.streams.video[0]
            packets = [(p.pts, p.is_keyframe, bytes(p)) for p in container.demux(stream) if p.size]
            found.append((stream.time_base, stream.codec_context.extradata, packets))
    assert found[0] == found[1]
    assert len(found[0][2]) == 12
