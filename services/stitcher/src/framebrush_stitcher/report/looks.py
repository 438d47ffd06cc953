"""Chooses what of a film is looked at: places spread over its whole length, however few keyframes it has.

The input's frames come from the packs, and the output has a keyframe where a chunk begins. So a place costs the same
wherever it is: nothing of the input is decoded for it, and at most one chunk of the output.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from framebrush.contracts import FrameRange, Manifest

PLACES = 6
"""The places that are looked at, and the most frames that failed of which pictures are shown."""
WINDOW, PREVIEW = 16, 96
"""The most frames that are looked at in each place, and in the place of the preview."""
PART = 0.4
"""The part of a film's frames that is looked at, at most: short runs are to take little longer, too."""
LEAST = 24
"""The frames that are looked at whatever the film's length."""


@dataclass(slots=True)
class Look:
    """What is looked at in one chunk. Frames have their numbers in the segment."""

    segment: int
    chunk: int
    rows: list[FrameRange]
    """Rows of consecutive frames, in order."""
    pictures: tuple[int, ...]
    """Frames of which pictures are kept."""
    preview: FrameRange | None
    failed: tuple[int, ...]

    @property
    def frames(self) -> list[int]:
        """Return the numbers of all frames, in increasing order."""
        found = {frame for row in self.rows for frame in range(row.first, row.stop)}
        return sorted(found.union(self.failed))


def choose(manifest: Manifest, failed: Iterable[int]) -> list[Look]:
    """Return what to look at, the chunk of the preview first.

    Args:
        manifest: The plan of the run.
        failed: The numbers in the whole film of frames that are not painted.
    """
    chunks = list(manifest.chunks)
    chosen = _spread(len(chunks), min(PLACES, len(chunks)))
    allowed = max(LEAST, round(PART * manifest.frames))
    length = max(2, min(WINDOW, allowed // (2 * PLACES)))
    preview = max(length, min(PREVIEW, allowed - (PLACES - 1) * length))
    looks = dict[tuple[int, int], Look]()
    for number, place in enumerate(chosen):
        segment, chunk = chunks[place]
        frames = manifest.chunk(segment, chunk)
        count = len(_spread(PLACES, len(chosen), number))
        firsts = [frames.first + each for each in _spread(frames.count, min(count, frames.count))]
        main = number == len(chosen) // 2
        middle = firsts[len(firsts) // 2]
        spans = [_within(frames, first, preview if main and first == middle else length) for first in firsts]
        looks[segment, chunk] = Look(
            segment, chunk, _merged(spans), tuple(span.first + span.count // 2 for span in spans),
            _within(frames, middle, preview) if main else None, (),
        )  # fmt: skip
    firsts_of = list(accumulate((segment.frames for segment in manifest.segments), initial=0))
    for frame in sorted(set(failed))[:PLACES]:
        segment = next(n for n in range(len(manifest.segments)) if frame < firsts_of[n + 1])
        own = frame - firsts_of[segment]
        chunk = manifest.chunk_at(segment, own)
        look = looks.setdefault((segment, chunk), Look(segment, chunk, [], (), None, ()))
        look.failed += (own,)
    return sorted(looks.values(), key=lambda look: look.preview is None)


def spans(manifest: Manifest, look: Look) -> Iterator[tuple[FrameRange, FrameRange]]:
    """Yield the packs of a chunk with the frames in them that are looked at; a pack comes once for each row of these.

    Both are numbered in the segment.
    """
    chunk, size = manifest.chunk(look.segment, look.chunk), manifest.pack_frames
    for row in _merged([FrameRange(first=frame, count=1) for frame in look.frames]):
        for first in range(chunk.first + (row.first - chunk.first) // size * size, row.stop, size):
            pack = FrameRange(first=first, count=min(size, chunk.stop - first))
            begin, end = max(first, row.first), min(pack.stop, row.stop)
            yield pack, FrameRange(first=begin, count=end - begin)


def _spread(length: int, count: int, part: int | None = None) -> list[int]:
    """Return the beginnings of ``count`` equal parts of ``length`` things; with ``part``, all things of that part."""
    begins = [number * length // count for number in range(count + 1)]
    return begins[:-1] if part is None else list(range(begins[part], begins[part + 1]))


def _within(frames: FrameRange, first: int, count: int) -> FrameRange:
    return FrameRange(first=first, count=min(count, frames.stop - first))


def _merged(rows: Sequence[FrameRange]) -> list[FrameRange]:
    """Return rows in increasing order as one where they touch."""
    merged = list[FrameRange]()
    for row in rows:
        if merged and row.first <= merged[-1].stop:
            stop = max(merged[-1].stop, row.stop)
            merged[-1] = FrameRange(first=merged[-1].first, count=stop - merged[-1].first)
        else:
            merged.append(row)
    return merged
