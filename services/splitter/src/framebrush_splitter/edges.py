"""The first and the last seconds of a stream that is copied, with which its copy is rehearsed."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile
from typing import Any, TypeAlias

from av.packet import Packet

from framebrush.contracts import FORMATS
from framebrush.media import Clock, Log, Order, configuration, is_framed

AnyPacket: TypeAlias = "Packet[Any]"
SECONDS, MOST, BYTES = 2.0, 100, 2**20
"""How much is kept of either end: so many seconds, packets and bytes at most, and two packets at least."""
KEPT = ("skip_samples", "new_extradata", "webvtt_identifier", "webvtt_settings", "matroska_block_additional")
"""The side data that muxers write."""


@dataclass
class Edges:
    """The first packets of a stream, and the last ones that are not among them."""

    first: list[AnyPacket] = field(default_factory=list)
    last: deque[AnyPacket] = field(default_factory=deque)
    configurations: set[int | bytes] = field(default_factory=set)
    """What the headers of AAC say, or what the container says anew in the middle, of how to decode the stream."""
    _tick: float = 0.0
    """The seconds of a tick."""
    orders: dict[str, Order] = field(default_factory=dict)
    """How the packets come one after the other in outputs of each format."""
    _bytes: int = 0
    _full: bool = False
    _headers: set[bytes] = field(default_factory=set)
    _framed: bool = False
    _sound: bool = False

    def add(self, packet: AnyPacket) -> None:
        """Add the next packet of the stream."""
        if not self.first:
            self._tick = float(packet.time_base)
            self._framed, self._sound = is_framed(packet.stream), packet.stream.type == "audio"
            self.orders = {name: Order.of(packet.stream, name) for name in set(FORMATS.values())}
        if (time := packet.dts if packet.dts is not None else packet.pts) is not None and not packet.is_discard:
            for order in self.orders.values():
                order.add(time)
        if self._framed:
            self._add_header(packet)
        elif self._sound and packet.has_sidedata("new_extradata"):
            self.configurations |= {_extradata(packet), bytes(packet.get_sidedata("new_extradata"))} - {b""}
        kept = self.last if self._full else self.first
        kept.append(packet)
        self._bytes += packet.size
        if len(kept) <= 2 or not (len(kept) > MOST or self._bytes > BYTES or self._seconds(kept[0], packet) > SECONDS):
            return
        if not self._full:
            self._full, self._bytes = True, 0
            return
        while len(self.last) > 2 and (
            len(self.last) > MOST or self._bytes > BYTES or self._seconds(self.last[0], packet) > SECONDS
        ):
            self._bytes -= self.last.popleft().size

    def _seconds(self, first: AnyPacket, last: AnyPacket) -> float:
        begin, end = first.pts if first.pts is not None else first.dts, last.pts if last.pts is not None else last.dts
        return ((end or 0) - (begin or 0)) * self._tick

    def _add_header(self, packet: AnyPacket) -> None:
        header = bytes(memoryview(packet)[:4])
        if header not in self._headers and (found := configuration(packet)) is not None:
            self._headers.add(header)  # A stream has some hundred different ones at most, and mostly the same.
            self.configurations.add(found)

    def move(self, clock: Clock, log: Log | None) -> None:
        """Move the times of all packets to the time line of the film.

        Args:
            clock: What moves them.
            log: The times of all packets, if the file's have to be moved.
        """
        if log is not None:
            self.orders = {name: Order(order.time_base, order.step) for name, order in self.orders.items()}
            for time in clock.moved(log.dts, log.positions, log.time_base):
                for order in self.orders.values():
                    order.add(time)
        if any(packet.pos is not None for packet in self.last):
            while self.last[0].pos is None:
                self.last.popleft()  # Where it is follows from a packet that is not here any more.
        for packet in (*self.first, *self.last):
            clock(packet)

    def parts(self) -> Iterator[Sequence[AnyPacket]]:
        """Yield the first and the last packets, as copies that may be changed; the last only if there are any.

        The last ones begin where decoding can: readers pass over what is before (TrueHD).
        """
        yield [_copy(packet) for packet in _shown(self.first)]
        keyed = any(packet.is_keyframe for packet in self.first)
        last = list(dropwhile(lambda packet: keyed and not packet.is_keyframe, self.last))
        if last:
            yield [_copy(packet) for packet in _shown(last)]


def _extradata(packet: AnyPacket) -> bytes:
    return bytes(packet.stream.codec_context.extradata or b"")


def _shown(packets: Sequence[AnyPacket]) -> Iterator[AnyPacket]:
    """Yield the packets without those that an edit list cuts out, unless they come first."""
    begun = False
    for packet in packets:
        begun = begun or not packet.is_discard
        if not (begun and packet.is_discard):
            yield packet


def _copy(packet: AnyPacket) -> AnyPacket:
    copy: AnyPacket = Packet(bytes(packet))
    copy.stream, copy.time_base = packet.stream, packet.time_base
    copy.pts, copy.dts, copy.duration, copy.is_keyframe = packet.pts, packet.dts, packet.duration, packet.is_keyframe
    for name in KEPT:
        if packet.has_sidedata(name):  # type: ignore[arg-type]  # of PyAV's names
            copy.set_sidedata(packet.get_sidedata(name))  # type: ignore[arg-type]
    return copy
