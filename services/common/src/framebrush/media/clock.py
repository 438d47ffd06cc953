"""Puts the packets of a file on one time line. It needs the extra ``framebrush[video]``.

The times of a broadcast count from anywhere, since its container has no zero, and where captures were put one after the
other they jump. Players begin such a file at zero, and go on at a jump as if it were not there.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import merge
from math import floor
from typing import Any

from av.packet import Packet
from av.stream import Stream

from framebrush.contracts import Shift

WITHOUT_ZERO = ("mpegts", "mpeg", "wtv", "flv", "live_flv", "asf", "rm", "ogg")
"""FFmpeg's names of the formats whose times may count from anywhere."""
FRAGMENTED = "mov,mp4,m4a,3gp,3g2,mj2"
"""FFmpeg's name of the format whose fragments have times that count from the beginning of a live stream, which may be
days before that of the file."""
JUMPING = ("mpegts", "mpeg", "wtv")
"""Those whose times may jump."""
FORWARD, BACK = Fraction(10), Fraction(1, 10)
"""The least seconds of a jump of the video. They are FFmpeg's own (``-dts_delta_threshold``): a shorter gap is lost
reception."""
REGULAR = Fraction(1, 500)
"""The seconds by which a packet may be off the end of the one before, and still be regular."""
REORDERED = 32
"""The number of packets after a jump among which the one that is shown first is."""


def has_zero(format_name: str, video: Stream) -> bool:
    """Return whether the times of a file count from its beginning. Of those that do not, a :class:`Log` is kept.

    Args:
        format_name: FFmpeg's name of the file's format.
        video: The video stream, as it is when the file is opened.
    """
    in_fragments = format_name == FRAGMENTED and not video.frames
    return format_name not in WITHOUT_ZERO and not in_fragments


@dataclass
class Log:
    """The times of a stream's packets in ticks, in the order in which they are stored, and where they are."""

    time_base: Fraction
    back: Fraction = BACK
    """The seconds by which decoding times may go back without a jump: those of sound never do."""
    positions: "array[int]" = field(default_factory=lambda: array("q"))
    """The offsets in the file. A packet without one, which shares a unit of the container, has that of the one before.
    """
    pts: "array[int]" = field(default_factory=lambda: array("q"))
    dts: "array[int]" = field(default_factory=lambda: array("q"))
    ends: "array[int]" = field(default_factory=lambda: array("q"))

    @classmethod
    def of(cls, stream: Stream) -> "Log":
        """Return the log of a stream, still without packets."""
        return cls(stream.time_base or Fraction(1), BACK if stream.type == "video" else Fraction(0))

    def add(self, packet: "Packet[Any]") -> None:
        """Add a packet, which has a time."""
        known = packet.pts if packet.pts is not None else packet.dts
        if known is None:
            return
        self.positions.append(packet.pos if packet.pos is not None else self.positions[-1] if self.positions else 0)
        self.pts.append(known)
        self.dts.append(packet.dts if packet.dts is not None else known)
        self.ends.append(known + (packet.duration or 0))


class Clock:
    """Moves the times of packets by the shifts of a file. It remembers where each stream is, as a reader does."""

    def __init__(self, shifts: Sequence[Shift], time_base: Fraction) -> None:
        """Begin at the beginning of the file.

        Args:
            shifts: The shifts of the file, by increasing position.
            time_base: The duration of a tick in which the shifts are, in seconds.
        """
        self._shifts, self._positions, self._base = shifts, [shift.position for shift in shifts], time_base
        self._last = dict[int, int]()

    def __call__(self, packet: "Packet[Any]") -> None:
        """Move the times of the next packet of a stream."""
        if not self._shifts:
            return
        position = packet.pos if packet.pos is not None else self._last.get(packet.stream_index, 0)
        self._last[packet.stream_index] = position
        ticks = self._at(position)
        moved = ticks if packet.time_base == self._base else round(ticks * self._base / packet.time_base)
        if packet.pts is not None:
            packet.pts += moved
        if packet.dts is not None:
            packet.dts += moved

    def moved(self, times: Sequence[int], positions: Sequence[int], time_base: Fraction) -> "array[int]":
        """Return the times of packets at these positions, moved; all in ticks of ``time_base``."""
        if not self._shifts:
            return array("q", times)
        shifts = [round(shift.ticks * self._base / time_base) for shift in self._shifts]
        return array(
            "q",
            (
                time + shifts[max(0, bisect_right(self._positions, position) - 1)]
                for time, position in zip(times, positions, strict=True)
            ),
        )

    def _at(self, position: int) -> int:
        return self._shifts[max(0, bisect_right(self._positions, position) - 1)].ticks


def find_shifts(format_name: str, logs: Mapping[int, Log], time_base: Fraction) -> tuple[Shift, ...]:
    """Return by how much the times of a file are to be moved, from which position on; nothing if its times stand.

    Args:
        format_name: FFmpeg's name of the file's format.
        logs: The packets of the video and of the sound, by the index of the stream; none if the file has a zero.
        time_base: The duration of a tick in which the shifts are to be, in seconds.
    """
    logs = {index: log for index, log in logs.items() if log.pts}
    if not logs:
        return ()
    jumps = [(0, 0), *(_jumps(logs, time_base) if format_name in JUMPING else ())]
    clock = Clock([Shift(position=position, ticks=ticks) for position, ticks in jumps], time_base)
    starts = (min(clock.moved(log.pts, log.positions, log.time_base)) * log.time_base for log in logs.values())
    first = floor(min(starts) / time_base)
    if format_name not in JUMPING:
        first = max(0, first)  # What is before zero is the beginning of the sound, which decoders skip.
    shifts = tuple(Shift(position=position, ticks=ticks - first) for position, ticks in jumps)
    return shifts if any(shift.ticks for shift in shifts) else ()


def _jumps(logs: Mapping[int, Log], time_base: Fraction) -> Iterator[tuple[int, int]]:
    """Yield where times jump, and by how many ticks they are to be moved from there on.

    Decoding times tell of a jump, as they increase. All streams go on where the last of them ended. One stream may tell
    of a jump after packets of another that are beyond it, too: then it was where the other's times became irregular.
    """
    forward, tolerance, shift = int(FORWARD / time_base), int(REGULAR / time_base), 0
    back = {index: int(log.back / time_base) for index, log in logs.items()}
    ratios = {index: log.time_base / time_base for index, log in logs.items()}
    last, due, ends, at = dict[int, int](), dict[int, int](), dict[int, int](), dict[int, int]()
    irregular = deque[tuple[int, dict[int, int]]](maxlen=REORDERED)
    for position, index, place in merge(*(_places(index, log) for index, log in logs.items())):
        log, ratio = logs[index], ratios[index]
        time = int(_decoding_time(log, place) * ratio) + shift
        if index in last and not last[index] - back[index] <= time <= due[index] + forward:
            where, ended = next((each for each in irregular if each[0] > at[index]), (position, ends))
            begins = {i: int(start * ratios[i]) for i, other in logs.items() for start in _begin(other, where)}
            time -= shift
            shift = max(ended[i] - start for i, start in begins.items() if i in ended)
            yield where, shift
            last, ends, time = {}, dict(ended), time + shift
            irregular.clear()
        elif index in last and abs(time - due[index]) > tolerance:
            irregular.append((position, dict(ends)))
        last[index], at[index] = time, position
        due[index] = time + int((log.ends[place] - log.pts[place]) * ratio)
        ends[index] = max(ends.get(index, time), int(log.ends[place] * ratio) + shift)


def _decoding_time(log: Log, place: int) -> int:
    """Return when a packet is decoded, in ticks: before the next one, where a program told only when it is shown."""
    known, before = log.dts[place], log.dts[max(0, place - 1)]
    after = log.dts[place + 1] if place + 1 < len(log.dts) else known
    return after if known == log.pts[place] and before <= after < known else known


def _places(index: int, log: Log) -> Iterator[tuple[int, int, int]]:
    for place, position in enumerate(log.positions):
        yield position, index, place


def _begin(log: Log, position: int) -> Sequence[int]:
    """Return when a stream goes on at a position in the file, in its ticks; nothing if it does not."""
    first = bisect_left(log.positions, position)
    return [min(log.pts[first : first + REORDERED])] if first < len(log.pts) else []
