"""Streams of every kind, to be tried in every container."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer

from framebrush.contracts import FORMATS
from framebrush.media import COPIED, codec_name, is_extra
from framebrush_splitter.edges import Edges
from framebrush_splitter.outputs import carries
from support.film import Film, Sound, Text
from support.torture.structure import MS
from support.torture.tracks import ASS, ASS_LINES, BITMAP, LINES, MOV_TEXT

SHORT = tuple(range(0, 200, 40))
FILMS = {
    "carried.mkv": Film(
        **{**MS, "pts": SHORT},
        sounds=tuple(Sound(codec) for codec in ("aac", "libmp3lame", "ac3", "libopus", "flac", "pcm_s16le", "wavpack")),
        texts=(
            Text("subrip", LINES),
            Text("ass", ASS_LINES, header=ASS),
            Text("webvtt", LINES),
            Text("hdmv_pgs_subtitle", BITMAP),
        ),
        fonts=("Harbour.ttf",),
    ),
    "carried.mp4": Film(sounds=(), texts=(Text("mov_text", MOV_TEXT),)),
}
"""Every kind of sound and text that FFmpeg can write here, in the containers that most people have."""


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[tuple[InputContainer, dict[int, Edges]]]:
    with av.open(FILMS[name].write(folder / name), "r") as container:
        edges: dict[int, Edges] = {}
        for packet in container.demux():
            if packet.size:
                edges.setdefault(packet.stream.index, Edges()).add(packet)
        yield container, edges


def carried(folder: Path) -> dict[str, list[str]]:
    """The containers that carry each kind of stream, by its codec; tried out."""
    found: dict[str, list[str]] = {}
    for name in FILMS:
        with _opened(folder, name) as (container, edges):
            for stream in container.streams:
                if stream.type in COPIED or is_extra(stream):
                    found[codec_name(stream)] = [suffix for suffix in FORMATS if carries(suffix, stream, edges)]
    return found


def rows(table: dict[str, list[str]]) -> list[str]:
    """A Markdown table's rows: a mark under each container."""
    return [
        f"| {name} | {' | '.join('yes' if suffix in suffixes else '—' for suffix in FORMATS)} |"
        for name, suffixes in table.items()
    ]
