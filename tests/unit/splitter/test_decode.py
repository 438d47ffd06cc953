"""Decoding in parallel is decoding in line: segments cut anywhere that is allowed give the same frames, bit by bit."""

import hashlib
import io
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.film import Film, Sound

from framebrush.contracts import BlobRef, Segment, Shift
from framebrush.storage import BlobReader, MemoryStore
from framebrush_splitter.decode import decode_segment
from framebrush_splitter.plan import Packets, cut, read_packets
from framebrush_splitter.video import open_video

Opened = Callable[[], AbstractContextManager[Any]]
REF = BlobRef(container="input", name="film")


def opener(data: bytes) -> Opened:
    store = MemoryStore()
    etag = store.write(REF, data)

    @contextmanager
    def opened() -> Iterator[Any]:
        with open_video(BlobReader(store, REF, len(data), etag)) as found:
            yield found

    return opened


def digest(frame: av.VideoFrame) -> str:
    """Of the visible samples, as they were decoded."""
    return hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest()


def in_line(opened: Opened, start: int = 0) -> list[tuple[int | None, str]]:
    """Times, moved by ``start``, and hashes by one decoder, from the first packet to the last, without seeking."""
    with opened() as (container, stream):
        return [(frame.pts + start, digest(frame)) for frame in container.decode(stream)]


def start_of(packets: Packets) -> int:
    """The ticks by which the times of the file are moved."""
    return packets.shifts[0].ticks if packets.shifts else 0


def plan(opened: Opened) -> Packets:
    with opened() as (container, stream):
        return read_packets(container, stream, max_frames=10_000)


def in_parallel(
    opened: Opened, segments: tuple[Segment, ...], order: random.Random, shifts: tuple[Shift, ...] = ()
) -> list[tuple[int | None, str]]:
    """The same by one decoder per segment, in any order."""
    found = dict[int, list[tuple[int | None, str]]]()
    for number in order.sample(range(len(segments)), len(segments)):
        pictures = decode_segment(opened, segments[number], shifts)
        found[number] = [(picture.time, digest(picture.frame)) for picture in pictures if picture.frame is not None]
    return [picture for number in sorted(found) for picture in found[number]]


def random_cuts(packets: Packets, generator: random.Random) -> tuple[Segment, ...]:
    """Some of the cuts that the plan allows."""
    finest = cut(packets, 1)
    kept = sorted({0, *(number for number in range(len(finest)) if generator.random() < 0.5)})
    joined = list[Segment]()
    for first, stop in zip(kept, [*kept[1:], len(finest)], strict=True):
        part = finest[first:stop]
        frames, position = sum(each.frames for each in part), part[0].position
        joined.append(Segment(start=part[0].start, end=part[-1].end, frames=frames, position=position))
    return tuple(joined)


X264 = st.builds(
    "keyint={}:min-keyint={}:bframes={}:open-gop={}:b-pyramid={}:ref={}:scenecut=0:weightp={}:threads=1".format,
    st.integers(2, 12), st.integers(1, 2), st.integers(0, 5), st.integers(0, 1), st.sampled_from(["none", "normal"]),
    st.integers(1, 5), st.integers(0, 2),
)  # fmt: skip
X265 = st.builds(
    lambda keyint, bframes, open_gop, radl: (
        f"keyint={keyint}:min-keyint=1:bframes={bframes}:open-gop={open_gop}:radl={min(radl, bframes)}:"
        "scenecut=0:log-level=none:pools=1:frame-threads=1"
    ),
    st.integers(3, 12), st.integers(0, 4), st.integers(0, 1), st.integers(0, 2),
)  # fmt: skip
STREAMS = st.one_of(
    st.tuples(st.just("libx264"), X264.map(lambda text: {"x264-params": text, "preset": "ultrafast"})),
    st.tuples(st.just("libx265"), X265.map(lambda text: {"x265-params": text, "preset": "ultrafast"})),
    st.tuples(st.just("mpeg2video"), st.integers(0, 2).map(lambda bf: {"bf": str(bf)})),
    st.tuples(st.just("mpeg4"), st.just({})),
    st.tuples(st.just("libvpx-vp9"), st.just({"cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "12"})),
    st.tuples(st.just("libvpx"), st.just({"cpu-used": "8", "auto-alt-ref": "1", "lag-in-frames": "6"})),
)


films = given(
    stream=STREAMS,
    suffix=st.sampled_from([".mp4", ".mkv", ".ts", ".mov"]),
    gop=st.integers(1, 12),
    count=st.integers(1, 40),
    seed=st.integers(0, 2**32),
)
CHECKS = [HealthCheck.function_scoped_fixture]


def check(folder: Path, stream: tuple[str, dict[str, str]], suffix: str, gop: int, count: int, seed: int) -> None:
    (codec, options), steps = stream, random.Random(seed)
    if codec.startswith("libvpx"):
        suffix = ".webm"
    if suffix == ".ts":
        count += 4  # of less FFmpeg cannot tell what it is
    times, base = [0], Fraction(1, 1000)
    while len(times) < count:
        times.append(times[-1] + steps.choice([20, 40, 40, 41, 300]))
    if codec == "mpeg2video":  # which knows no variable frame rate
        times, base = list(range(count)), Fraction(1, 25)
    film = Film(codec=codec, options=options, gop=gop, pts=times, time_base=base, sounds=())
    opened = opener(film.write(folder / f"film{suffix}").read_bytes())
    packets = plan(opened)
    linear = in_line(opened, start_of(packets))
    assert len(linear) == count
    assert in_parallel(opened, random_cuts(packets, steps), steps, packets.shifts) == linear


@settings(max_examples=40, deadline=None, suppress_health_check=CHECKS)
@films
def test_any_cuts_of_any_stream(tmp_path: Path, **film: Any) -> None:
    check(tmp_path, **film)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=2000, deadline=None, suppress_health_check=CHECKS)
@films
def test_many_cuts_of_many_streams(tmp_path: Path, **film: Any) -> None:
    check(tmp_path, **film)


def keyframes_everywhere(path: Path) -> bytes:
    """An MP4 whose index calls every frame a keyframe: the table of those that are is gone."""
    data = Film(gop=8, options={"bf": "2"}, sounds=()).write(path / "film.mp4").read_bytes()
    assert data.count(b"stss") == 1
    return data.replace(b"stss", b"free")


def gradual_refresh(path: Path) -> bytes:
    """No keyframe after the first; recovery points from which the picture is whole only some frames later."""
    options = {"x264-params": "intra-refresh=1:keyint=8:bframes=0:threads=1", "preset": "medium"}
    return Film(options=options, sounds=(), size=(128, 96)).write(path / "film.mkv").read_bytes()


def pictures_called_keyframes(path: Path) -> bytes:
    """Intra pictures at changes of scene that are called keyframes, as some muxers do; later ones refer past them."""
    options = {"x264-params": "keyint=250:min-keyint=125:bframes=0:ref=4:scenecut=100:threads=1", "preset": "medium"}
    film = Film(options=options, sounds=(), size=(128, 96), time_base=Fraction(1, 1000), pts=range(0, 960, 40))
    scenes = np.random.default_rng(5).integers(0, 255, (4, 96, 128, 3), np.uint8)
    with av.open(str(path / "film.mkv"), "w") as container:
        stream = film._video(container)
        for number, time in enumerate([*film.pts, None]):
            frame = None
            if time is not None:
                frame = av.VideoFrame.from_ndarray(np.roll(scenes[number // 6], number, 1), format="rgb24")
                frame.pts, frame.time_base = time, film.time_base
            for packet in stream.encode(frame):
                packet.is_keyframe = packet.pts % 240 == 0
                container.mux(packet)
    data = (path / "film.mkv").read_bytes()
    with av.open(io.BytesIO(data)) as container:
        assert [frame.pts for frame in container.decode(video=0) if frame.pict_type == 1] == [0, 240, 480, 720]
    return data


def shifted_index(path: Path) -> bytes:
    """A Matroska whose cues lead to clusters two seconds from where they say."""
    times = [40 * k for k in range(100)]
    film = Film(pts=times, time_base=Fraction(1, 1000), gop=10, sounds=(), muxer={"cluster_time_limit": "400"})
    data = bytearray(film.write(path / "film.mkv").read_bytes())
    cues = data.rindex(b"\x1c\x53\xbb\x6b")
    changed = 0
    for position in range(cues, len(data) - 4):
        if data[position : position + 2] == b"\xb3\x82":  # CueTime, two bytes
            time = int.from_bytes(data[position + 2 : position + 4], "big")
            data[position + 2 : position + 4] = max(0, time - 2000).to_bytes(2, "big")
            changed += 1
    assert changed
    return bytes(data)


def no_index(path: Path) -> bytes:
    film = Film(pts=[40 * k for k in range(50)], time_base=Fraction(1, 1000), sounds=(), muxer={"live": "1"})
    return film.write(path / "film.mkv").read_bytes()


def transport_stream(path: Path) -> bytes:
    options = {"x264-params": "open-gop=1:keyint=6:min-keyint=6:scenecut=0:bframes=3:threads=1"}
    return Film(pts=range(60), time_base=Fraction(1, 25), options=options).write(path / "film.ts").read_bytes()


@pytest.mark.parametrize(
    ("make", "segments", "inexact"),
    [
        (keyframes_everywhere, 3, 0),
        (gradual_refresh, 1, 2),
        (pictures_called_keyframes, 1, 0),
        (shifted_index, 10, 0),
        (no_index, 9, 0),
        (transport_stream, 10, 0),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_files_that_lie(tmp_path: Path, make: Callable[[Path], bytes], segments: int, inexact: int) -> None:
    opened = opener(make(tmp_path))
    packets = plan(opened)
    linear, finest = in_line(opened, start_of(packets)), cut(packets, 1)
    assert (len(finest), packets.unusable_keyframes) == (segments, inexact)
    assert in_parallel(opened, finest, random.Random(1), packets.shifts) == linear


@pytest.mark.parametrize(
    ("codec", "format_name"),
    [("libx264", "mpegts"), ("libx265", "mpegts"), ("mpeg2video", "mpegts"), ("mpeg2video", "vob")],
)
def test_captures_put_together_are_decoded_from_any_place(tmp_path: Path, codec: str, format_name: str) -> None:
    options = {"x265-params": "log-level=none:pools=1:frame-threads=1"} if codec == "libx265" else {"bf": "2"}
    base = {"codec": codec, "time_base": Fraction(1, 25), "pts": range(30), "format": format_name, "options": options}
    parts = [Film(**base, sounds=(Sound("mp2", seconds=1.2),)).write(tmp_path / f"{n}").read_bytes() for n in range(3)]
    opened = opener(b"".join(parts))
    packets = plan(opened)
    assert len(packets.shifts) == 3 and len(packets.pts) == 90
    steps = {b - a for a, b in zip(packets.pts, packets.pts[1:], strict=False)}
    assert 3600 in steps and max(steps) < 3600 + 90_000 * 0.1, "the parts follow each other"
    linear = [picture for _, picture in in_line(opened)]
    found = in_parallel(opened, cut(packets, 5), random.Random(2), packets.shifts)
    assert [time for time, _ in found] == list(packets.pts)
    assert [picture for _, picture in found] == linear


def test_no_cut_between_frames_that_share_a_time() -> None:
    packets = Packets(pts=(0, 40, 80, 80, 81, 120), random_access=(0, 80, 81, 120), end=160)
    assert [(s.start, s.end, s.frames) for s in cut(packets, 1)] == [(0, 80, 2), (80, 120, 3), (120, 160, 1)]
