"""Keeps the times of packets that are copied in order, as muxers ask for. It needs the extra ``framebrush[video]``.

Recorders of live streams write packets of sound with the time of the one before, or an earlier one. Players play them
one after the other; a muxer refuses them, and with them the film.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, cast

from av.packet import Packet
from av.stream import Stream

MOST = Fraction(1, 10)
"""The seconds by which a packet may be moved at most: what is further off is no inaccuracy of a recorder."""
NONSTRICT = ("matroska", "webm")
"""The formats in which packets may share a time."""


@dataclass
class Order:
    """Moves each packet of a stream that comes too early to the earliest time that the muxer takes."""

    time_base: Fraction
    step: int = 0
    """The least ticks between two packets."""
    moved: int = 0
    """The number of packets that were moved."""
    most: int = 0
    """The most ticks by which one was moved."""
    _last: int | None = None

    @classmethod
    def of(cls, stream: Stream, format_name: str) -> "Order":
        """Return the order of a stream's packets in an output of this format, still without packets."""
        base, rate = stream.time_base or Fraction(1), cast(Any, getattr(stream.codec_context, "sample_rate", 0))
        strict = stream.type == "audio" and format_name not in NONSTRICT  # Texts may share a time everywhere.
        return cls(base, max(1, ceil(1 / (rate * base))) if strict and rate else int(strict))

    @property
    def far(self) -> bool:
        """Whether a packet was moved by more than recorders are inaccurate."""
        return self.most * self.time_base > MOST

    def add(self, time: int) -> int:
        """Return by how many ticks the next packet comes later, whose decoding time this is."""
        late = 0 if self._last is None else max(0, self._last + self.step - time)
        self._last, self.moved, self.most = time + late, self.moved + (late > 0), max(self.most, late)
        return late

    def __call__(self, packet: "Packet[Any]") -> None:
        """Move the next packet, if it comes too early."""
        time = packet.dts if packet.dts is not None else packet.pts
        late = 0 if time is None else self.add(time)
        if late and time is not None:
            packet.dts = time + late
            packet.pts = (time if packet.pts is None else packet.pts) + late
