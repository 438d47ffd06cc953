"""Cases of MP4 and QuickTime whose boxes are as other programs than FFmpeg write them, or as the standard allows."""

import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from support.film import Film
from support.torture.case import Case
from support.torture.timing import SILENT

Box: TypeAlias = tuple[bytes, "bytes | list[Any]"]
"""The name of a box, and its content, or the boxes in it."""
HOLDING = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"dinf"}
TABLES = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
PLAIN = Film()
FRAGMENTS = Film(muxer={"movflags": "frag_keyframe+empty_moov+default_base_moof"})
NORMAL = 1 << 16
"""The rate at which a part of an edit list passes as it was taken."""
TICKS = 1024
"""The ticks at which the first frame and the first sound that is heard are stored."""


def parsed(data: bytes) -> list[Box]:
    """The boxes in some bytes."""
    found, position = list[Box](), 0
    while position + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, position)
        content = data[position + 8 : position + size]
        found.append((name, parsed(content) if name in HOLDING else content))
        position += size
    return found


def written(boxes: list[Box]) -> bytes:
    """The bytes of boxes."""
    return b"".join(box(name, content if isinstance(content, bytes) else written(content)) for name, content in boxes)


def box(name: bytes, content: bytes) -> bytes:
    """The bytes of a box."""
    return struct.pack(">I4s", 8 + len(content), name) + content


def changed(boxes: list[Box], path: tuple[bytes, ...], change: Callable[[Any], Any]) -> list[Box]:
    """The boxes with the contents at a path changed; a box that becomes None is left out."""
    result = list[Box]()
    for name, content in boxes:
        new = content
        if name == path[0]:
            new = change(content) if len(path) == 1 else changed(content, path[1:], change)  # type: ignore[arg-type]
        if new is not None:
            result.append((name, new))
    return result


def contents(boxes: list[Box], *path: bytes) -> Iterator[Any]:
    """The contents of the boxes at a path."""
    for name, content in boxes:
        if name == path[0]:
            yield from (content,) if len(path) == 1 else contents(content, *path[1:])  # type: ignore[arg-type]


def made(path: Path, change: Callable[[list[Box]], list[Box]], film: Film = PLAIN) -> Path:
    """A film whose boxes are changed."""
    data = film.write(path).read_bytes()
    path.write_bytes(written(change(parsed(data))))
    return path


def moved(boxes: list[Box], by: int, beyond: int = 0) -> list[Box]:
    """The boxes with all chunks that begin at or behind an offset said to be so many bytes further on."""
    return changed(boxes, (*TABLES, b"stco"), lambda table: numbers(n + by * (n >= beyond) for n in offsets(table)))


def offsets(table: bytes) -> tuple[int, ...]:
    """The offsets in a table of chunks."""
    return struct.unpack(f">{len(table) // 4 - 2}I", table[8:])


def numbers(values: Any) -> bytes:
    """A table of numbers, with its version, its flags and their count."""
    values = list(values)
    return struct.pack(f">II{len(values)}I", 0, len(values), *values)


def compressed(boxes: list[Box]) -> list[Box]:
    """The index is compressed, as QuickTime can."""
    (index,) = contents(boxes, b"moov")
    raw = box(b"moov", written(index))
    small = box(b"dcom", b"zlib") + box(b"cmvd", struct.pack(">I", len(raw)) + zlib.compress(raw))
    return [*(each for each in boxes if each[0] != b"moov"), (b"moov", box(b"cmov", small))]


def parted(boxes: list[Box]) -> list[Box]:
    """The data is in two boxes, and between them is something else."""
    begin = len(written(boxes[: [name for name, _ in boxes].index(b"mdat")])) + 8
    places = sorted(place for table in contents(boxes, *TABLES, b"stco") for place in offsets(table))
    middle, gap = places[len(places) // 2], (b"free", bytes(1000))
    result = list[Box]()
    for name, content in moved(boxes, len(written([gap])) + 8, middle):
        if name == b"mdat" and isinstance(content, bytes):
            result += [(name, content[: middle - begin]), gap, (name, content[middle - begin :])]
        else:
            result.append((name, content))
    return result


def padded(boxes: list[Box]) -> list[Box]:
    """Boxes that say nothing stand at the beginning and before the data."""
    empty: list[Box] = [(b"skip", bytes(300_000)), (b"wide", b"")]
    at = [name for name, _ in boxes].index(b"mdat")
    shifted = moved(boxes, len(written(empty)))
    return [shifted[0], empty[0], *shifted[1:at], empty[1], *shifted[at:]]


def with_long_offsets(boxes: list[Box]) -> list[Box]:
    """Offsets have eight bytes, as those of films of more than 4 GiB."""

    def longer(tables: list[Box]) -> list[Box]:
        return [
            (b"co64", content[:8] + struct.pack(f">{len(offsets(content))}Q", *offsets(content)))
            if name == b"stco" and isinstance(content, bytes)
            else (name, content)
            for name, content in tables
        ]

    return changed(boxes, TABLES, longer)


def with_size(path: Path, size: int) -> Path:
    """The size of the data is told in eight bytes (1), or is that of the rest of the file (0)."""
    boxes = parsed(Film().write(path).read_bytes())
    data = next(contents(boxes, b"mdat"))
    others = [each for each in boxes if each[0] not in (b"mdat", b"free")]
    before = others if size == 0 else others[:1]
    after = others[len(before) :]
    head = struct.pack(">I4s", size, b"mdat") + struct.pack(">Q", len(data) + 16) * size
    here = len(written(before)) + len(head)
    there = len(written(boxes[: [name for name, _ in boxes].index(b"mdat")])) + 8
    before, after = moved(before, here - there), moved(after, here - there)
    path.write_bytes(written(before) + head + data + written(after))
    return path


def with_short_sizes(boxes: list[Box]) -> list[Box]:
    """The sizes of samples have two bytes."""

    def shorter(tables: list[Box]) -> list[Box]:
        return [(b"stz2", _halved(content)) if name == b"stsz" else (name, content) for name, content in tables]

    return changed(boxes, TABLES, shorter)


def _halved(table: Any) -> bytes:
    size, count = struct.unpack_from(">II", table, 4)
    sizes = [size] * count if size else struct.unpack_from(f">{count}I", table, 12)
    return struct.pack(f">III{count}H", 0, 16, count, *sizes)


def with_keyframes(boxes: list[Box], *places: int) -> list[Box]:
    """These samples are said to be keyframes, whatever they are; without any, all are."""
    return changed(boxes, (*TABLES, b"stss"), lambda _: numbers(places) if places else None)


def without_flags(boxes: list[Box]) -> list[Box]:
    """No sample of a fragment is said to be a keyframe."""

    def flagged(header: bytes) -> bytes:
        return header[:-4] + b"\x01\x01\0\0" if header[3] & 0x20 else header

    def first(run: bytes) -> bytes:
        return run[:12] + b"\x01\x01\0\0" + run[16:] if run[3] & 4 else run

    return changed(changed(boxes, (b"moof", b"traf", b"tfhd"), flagged), (b"moof", b"traf", b"trun"), first)


def with_gap(boxes: list[Box]) -> list[Box]:
    """The fragments from the third on come a second later: something was lost, or not sent."""
    rates, count, result = {1: 12800, 2: 48000}, 0, list[Box]()
    for name, content in boxes:
        count += name == b"moof"
        if name == b"moof" and count > 2:
            for track in contents([(name, content)], b"moof", b"traf"):
                number = struct.unpack_from(">I", next(contents(track, b"tfhd")), 4)[0]
                late = changed(track, (b"tfdt",), partial(_later, by=rates[number]))
                track[:] = late
        result.append((name, content))
    return result


def _later(time: bytes, by: int) -> bytes:
    return time[:4] + (int.from_bytes(time[4:], "big") + by).to_bytes(len(time) - 4, "big")


def with_pauses_of_nothing(boxes: list[Box]) -> list[Box]:
    """Two frames in the middle last no time."""
    return per_track(
        boxes, b"vide", lambda track: changed(track, (*TABLES[2:], b"stts"), lambda _: _durations(15, 2, 7))
    )


def _durations(first: int, none: int, last: int) -> bytes:
    return struct.pack(">II6I", 0, 3, first, 512, none, 0, last, 512)


def per_track(boxes: list[Box], handler: bytes, change: Callable[[list[Box]], list[Box]]) -> list[Box]:
    """The boxes with the tracks of a kind changed."""
    return changed(
        boxes,
        (b"moov", b"trak"),
        lambda track: change(track) if next(contents(track, b"mdia", b"hdlr"))[8:12] == handler else track,
    )


def with_edits(boxes: list[Box], handler: bytes, *edits: tuple[int, int, int]) -> list[Box]:
    """The tracks of a kind have these edits: their lengths in milliseconds, times in the media, and rates."""
    table = struct.pack(">II", 0, len(edits)) + b"".join(struct.pack(">Iii", *edit) for edit in edits)
    return per_track(boxes, handler, lambda track: changed(track, (b"edts", b"elst"), lambda _: table))


def elsewhere(boxes: list[Box]) -> list[Box]:
    """The data is in another file."""
    table = struct.pack(">II", 0, 1) + box(b"url ", bytes(4) + b"data.mov\0")
    return changed([each for each in boxes if each[0] != b"mdat"], (*TABLES[:4], b"dinf", b"dref"), lambda _: table)


def reference(path: Path) -> Path:
    """A film that only names another one."""
    name = bytes(4) + b"url " + struct.pack(">I", 9) + b"film.mov\0"
    path.write_bytes(box(b"moov", box(b"rmra", box(b"rmda", box(b"rdrf", name)))))
    return path


def _plain(name: str, file: str, change: Callable[[list[Box]], list[Box]], film: Film = PLAIN) -> Case:
    return Case(name, file, partial(made, change=change, film=film), segments=2)


WHOLE = "; `ffmpeg -ignore_editlist 1 -i film.mp4 -c copy whole.mp4`"
EDITED: dict[str, Any] = {"lost": "that: FFmpeg plays on", "segments": 2}

BOXES = (
    _plain("a compressed index (`cmov`)", "cmov.mov", compressed),
    _plain("data in two boxes, and something between them", "two_mdat.mp4", parted),
    _plain("empty boxes before index and data (`skip`, `wide`)", "padded.mp4", padded),
    _plain("offsets of eight bytes (`co64`)", "co64.mp4", with_long_offsets),
    Case("a size of eight bytes", "large_size.mp4", partial(with_size, size=1), segments=2),
    Case("data up to the end of the file (size 0)", "size0.mp4", partial(with_size, size=0), segments=2),
    _plain("sizes of two bytes (`stz2`)", "stz2.mp4", with_short_sizes),
    _plain("no `ftyp`, as old QuickTime", "no_ftyp.mov", lambda boxes: moved(boxes[1:], -len(written(boxes[:1])))),
    _plain("no table of keyframes", "no_stss.mp4", with_keyframes),
    _plain("a wrong table of keyframes", "stss.mp4", lambda boxes: with_keyframes(boxes, 1, 4, 11)),
    _plain("fragments of which no sample is said to be a keyframe", "flags.mp4", without_flags, FRAGMENTS),
    _plain("fragments between which a second is missing (`tfdt`)", "gap.mp4", with_gap, FRAGMENTS),
    Case(
        "two frames that last no time",
        "no_time.mp4",
        partial(made, change=with_pauses_of_nothing),
        segments=2,
        notes=("share their time", "have times in another order"),
        lost="those times: each frame comes a tick after the one before, as the decoder gives them",
    ),
    _plain(
        "sound that an edit list lets begin late",
        "late_sound.mp4",
        lambda boxes: with_edits(boxes, b"soun", (200, -1, NORMAL), (800, TICKS, NORMAL)),
        Film(gop=6),
    ),
    Case(
        "an edit list that plays at twice the speed",
        "speed.mp4",
        partial(made, change=lambda boxes: with_edits(boxes, b"vide", (960, TICKS, 2 * NORMAL))),
        notes=("an edit list plays a part at another speed",),
        **EDITED,
    ),
    Case(
        "an edit list that lets a picture stand still",
        "still.mp4",
        partial(made, change=lambda boxes: with_edits(boxes, b"vide", (480, TICKS, NORMAL), (480, TICKS + 6144, 0))),
        notes=("an edit list lets a picture stand still",),
        **EDITED,
    ),
    Case(
        "an edit list that leaves out everything",
        "nothing.mp4",
        partial(made, change=lambda boxes: with_edits(boxes, b"vide", (0, TICKS, NORMAL))),
        refused="its edit list leaves out all of its frames",
        lost=f"refused{WHOLE}",
    ),
    Case(
        "a film whose data is in another file, QuickTime",
        "elsewhere.mov",
        partial(made, change=elsewhere, film=Film(sounds=SILENT)),
        refused="the pictures of this film are not in it, but in data.mov",
        lost="refused: the refusal names that file",
    ),
    Case(
        "a film that only names another one, QuickTime",
        "reference.mov",
        reference,
        refused="the pictures of this film are not in it, but in film.mov",
        lost="refused: the refusal names that film",
    ),
)
