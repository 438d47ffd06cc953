"""The ends of a stream with which its copy is rehearsed."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from support.film import Film, Sound

from framebrush_splitter.edges import MOST, Edges

COUNT = 3 * MOST


@pytest.fixture
def sound(tmp_path: Path) -> Any:
    with av.open(str(Film(sounds=(Sound("mp2"),)).write(tmp_path / "film.mkv"))) as container:
        yield container.streams.audio[0]


def packets(stream: Any, keys: range) -> list[Any]:
    """Packets of a stream, of which some are keyframes."""
    made = list[Any]()
    for number in range(COUNT):
        packet: Any = av.Packet(bytes([number % 256]))
        packet.stream, packet.time_base = stream, Fraction(1, 1000)
        packet.pts = packet.dts = number
        packet.is_keyframe = number in keys
        made.append(packet)
    return made


@pytest.mark.parametrize("distance", [1, 16, 77])
def test_the_last_part_begins_where_decoding_can(sound: Any, distance: int) -> None:
    """As in TrueHD, whose readers pass over what comes before a keyframe: Matroska could not carry it else."""
    edges, keys = Edges(), range(0, COUNT, distance)
    for packet in packets(sound, keys):
        edges.add(packet)
    first, last = edges.parts()
    assert first[0].pts == 0 and last[-1].pts == COUNT - 1
    assert last[0].pts in keys and len(last) > MOST - distance


def test_there_is_no_last_part_without_a_keyframe(sound: Any) -> None:
    edges = Edges()
    for packet in packets(sound, range(1)):
        edges.add(packet)
    assert len(list(edges.parts())) == 1


def test_what_has_no_keyframes_is_kept(sound: Any) -> None:
    edges = Edges()
    for packet in packets(sound, range(0)):
        edges.add(packet)
    assert [len(part) for part in edges.parts()] == [MOST + 1, MOST]
