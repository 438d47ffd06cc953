"""MPEG-4 as DivX and XviD store it in AVI, which no free encoder writes."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from support.film import Film

VOP, GROUP, USER = b"\0\0\1\xb6", b"\0\0\1\xb3", b"\0\0\1\xb2DivX503b1393p"
"""How a picture begins, how a group of pictures does, and what tells that a packet may hold two pictures."""
EMPTY = VOP + b"\x50\x4f\x7f"
"""A picture that says that the one before stays (``vop_coded`` is 0), at 25 frames/s."""
PLAIN = Film(
    codec="mpeg4", time_base=Fraction(1, 25), pts=range(24), sounds=(), options={"b": "4M", "qmin": "1", "bf": "2"}
)
BIDIRECTIONAL = 2


def packed(path: Path) -> Path:
    """A picture and the first of those that are shown before it in one packet; later an empty one makes up for that."""
    parts = _pictures(path, PLAIN)
    head = next(place for place in (parts[0].find(GROUP), parts[0].find(VOP)) if place >= 0)
    parts[0] = parts[0][:head] + USER + parts[0][head:]
    return _written(path, list(_joined(parts)))


def _joined(parts: list[bytes]) -> Iterator[bytes]:
    at = 0
    while at < len(parts):
        between = at + 1
        while between < len(parts) and _kind(parts[between]) == BIDIRECTIONAL:
            between += 1
        yield b"".join(parts[at : at + 2]) if between > at + 1 else parts[at]
        yield from parts[at + 2 : between]
        if between > at + 1:
            yield EMPTY
        at = between


def stays(path: Path) -> Path:
    """A capture that was too slow: some pictures stay."""
    parts = _pictures(path, replace(PLAIN, options={**PLAIN.options, "bf": "0"}))
    return _written(path, [EMPTY if number in (9, 10, 16) else part for number, part in enumerate(parts)])


def _kind(part: bytes) -> int:
    return part[part.index(VOP) + len(VOP)] >> 6


def _pictures(path: Path, film: Film) -> list[bytes]:
    with av.open(str(film.write(path.with_name("plain.avi")))) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def _written(path: Path, parts: list[bytes]) -> Path:
    """A film of these packets, a frame's time after each other."""
    with av.open(str(path.with_name("plain.avi"))) as source, av.open(str(path), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for number, part in enumerate(parts):
            packet: Any = av.Packet(part)
            packet.stream, packet.time_base, packet.is_keyframe = copy, Fraction(1, 25), _kind(part) == 0
            packet.pts = packet.dts = number
            target.mux(packet)
    return path
