"""Whatever would make a join fail at the end of a run makes its plan fail: at the film's beginning or at its end."""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import pytest
from support.film import Film, Sound, Text
from support.torture.tracks import CHAPTERS, MOV_TEXT, TITLES

from framebrush.contracts import Options, VideoProperties
from framebrush.media import COPIED, MediaInfo, choose_video, read_media_info, read_properties
from framebrush.media.verification import content
from framebrush_splitter.decode import first_frame
from framebrush_splitter.dry_run import FRAMES, dry_run
from framebrush_splitter.dry_run import Film as Input
from framebrush_splitter.plan import read_packets

FILM = Film(
    pts=range(0, 100 * 512, 512),
    sounds=(Sound(seconds=6.0),),
    texts=(Text("mov_text", MOV_TEXT, "eng"),),
    chapters=CHAPTERS,
    metadata=TITLES,
    timecode="01:02:03:04",
)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[VideoProperties, Input, list[int]]]:
    """A film of four seconds with sound, text, chapters and a timecode, planned."""
    path = FILM.write(tmp_path_factory.mktemp("dry_run") / "film.mp4")
    with av.open(str(path)) as container:
        stream = choose_video(container)
        video = read_properties(stream, first_frame(container, stream))
    with av.open(str(path)) as container:
        packets = read_packets(container, choose_video(container), max_frames=1000)
        copied = [stream.index for stream in container.streams if stream.type in COPIED]
        yield video, Input(container, choose_video(container), packets.pts, packets.end, packets.edges), copied


def later(times: "array[int]") -> "array[int]":
    return array("q", [*times[:-1], times[-1] + 700])


def track(number: int, **changes: Callable[[Any], Any]) -> Callable[[MediaInfo], MediaInfo]:
    """A change of one of the streams that are copied."""

    def changed(found: MediaInfo) -> MediaInfo:
        tracks = list(found.tracks)
        old = tracks[number]
        tracks[number] = replace(old, **{name: change(getattr(old, name)) for name, change in changes.items()})
        return replace(found, tracks=tuple(tracks))

    return changed


def video(**changes: Any) -> Callable[[MediaInfo], MediaInfo]:
    return lambda found: replace(found, video=found.video.model_copy(update=changes))


WAYS: dict[str, Callable[[MediaInfo], MediaInfo]] = {
    "video frames": lambda found: replace(found, times=found.times[:-1]),
    "video start": lambda found: replace(found, times=array("q", (time + 9000 for time in found.times))),
    "video times": lambda found: replace(found, times=later(found.times)),
    "video size": video(width=62),
    "pixel aspect": video(sample_aspect_ratio=(4, 3)),
    "display matrix": video(rotation=(0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)),
    "colours": video(color_space=9),
    "frame rate": video(frame_rate=(12800, 1)),
    "captions": lambda found: replace(found, captions=array("Q", (1 for _ in found.times))),
    "timecode": lambda found: replace(found, timecode=None),
    "tracks": lambda found: replace(found, tracks=found.tracks[:1]),
    "audio 0 packets": track(0, times=lambda times: times[:-1]),
    "audio 0 times": track(0, times=later),
    "subtitle 1 packets": track(1, times=lambda times: times[:-1]),
    "subtitle 1 times": track(1, times=later),
}
"""What an output may differ in, by the name of the check that finds it."""


def test_the_list_is_complete(film: tuple[VideoProperties, Input, list[int]]) -> None:
    container = film[1].container
    with av.open(container.name) as opened:
        info = read_media_info(opened)
    assert {check.name for check in content(info, info)} == set(WAYS)


@pytest.mark.parametrize("part", [0, 1], ids=["beginning", "end"])
@pytest.mark.parametrize("name", WAYS)
def test_every_way_to_fail_is_found(
    film: tuple[VideoProperties, Input, list[int]], monkeypatch: pytest.MonkeyPatch, name: str, part: int
) -> None:
    calls = list[MediaInfo]()

    def read(container: Any) -> MediaInfo:
        calls.append(read_media_info(container))
        return WAYS[name](calls[-1]) if len(calls) == part + 1 else calls[-1]

    monkeypatch.setattr("framebrush.media.joining.read_media_info", read)
    problem = dry_run(".mp4", Options(), *film)
    assert problem is not None and f"{name}: " in problem
    assert len(calls) == part + 1


def test_nothing_is_found_where_nothing_is_wrong(
    film: tuple[VideoProperties, Input, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[MediaInfo]()
    monkeypatch.setattr(
        "framebrush.media.joining.read_media_info", lambda opened: calls.append(read_media_info(opened)) or calls[-1]
    )
    assert dry_run(".mp4", Options(), *film) is None
    first, last = calls
    assert list(first.times) == list(FILM.pts)[:FRAMES] and list(last.times) == list(FILM.pts)[-FRAMES:]
    assert first.timecode == last.timecode == "01:02:03:04"
    assert [start for start, _, _ in first.chapters] == [Fraction(0), Fraction(2, 5)]
    assert last.tracks[0].times[-1] > first.tracks[0].times[-1] > 48000


@pytest.mark.parametrize("error", [av.ArgumentError(22, "no"), av.InvalidDataError(1, "no"), ValueError("no")])
def test_an_error_of_the_muxer_is_found(
    film: tuple[VideoProperties, Input, list[int]], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr("framebrush.media.joining.add_untouched", fail)
    problem = dry_run(".mp4", Options(), *film)
    assert problem is not None and problem.startswith(".mp4 cannot carry")
