"""Pictures of H.264 whose two fields have packets of their own, as AVCHD cameras and broadcasters store them (PAFF).

It needs the extra ``framebrush[video]``.
"""

from dataclasses import dataclass
from typing import Any

from av.packet import Packet

from framebrush.media.nal import Bits, parameter_sets, units

SLICES, SEQUENCE, PICTURE = (1, 5), 7, 8
"""The types of NAL units (ITU-T H.264, table 7-1)."""
HIGH = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)
"""The profiles whose parameter sets tell the chroma format."""
HEADER = 64
"""The bytes of a slice that are enough for the beginning of its header."""


@dataclass(frozen=True)
class _Sequence:
    frame_number_bits: int
    fields: bool
    """Whether pictures may be fields."""
    planes: bool
    """Whether each slice holds one plane of colour."""


class Fields:
    """Finds the packets of a video that hold the second field of a picture, in the order in which they are stored."""

    def __init__(self, extradata: bytes) -> None:
        self._extra = extradata
        self._sequences = dict[int, _Sequence]()
        self._pictures = dict[int, int]()
        self._waiting: tuple[int, int] | None = None
        for unit in parameter_sets(extradata):
            self._learn(unit)
        self._possible = any(sequence.fields for sequence in self._sequences.values())

    @property
    def possible(self) -> bool:
        """Return whether the video's parameters allow that fields have packets of their own."""
        return self._possible

    @property
    def waits(self) -> bool:
        """Return whether the last packet held the first field of a picture, whose second is still to come."""
        return self._waiting is not None

    def is_second(self, packet: "Packet[Any]") -> bool:
        """Return whether a packet holds the second field of a picture, and nothing else."""
        if not self._possible:
            return False
        found = set[tuple[int, int]]()
        for unit in units(bytes(packet), self._extra, "h264"):
            if unit[0] & 31 in SLICES:
                field = self._field(unit)
                if field is None:
                    self._waiting = None
                    return False
                found.add(field)
            else:
                self._learn(unit)
        if len(found) != 1:
            self._waiting = None
            return False
        ((number, bottom),) = found
        second = self._waiting == (number, 1 - bottom)
        self._waiting = None if second else (number, bottom)
        return second

    def _field(self, unit: bytes) -> tuple[int, int] | None:
        """Return the number of a slice's frame and whether it is of the bottom field; None if it is of a frame."""
        bits = Bits.of_unit(unit[:HEADER])
        bits.exp(), bits.exp()
        sequence = self._sequences.get(self._pictures.get(bits.exp(), -1))
        if sequence is None or not sequence.fields:
            return None
        if sequence.planes:
            bits.take(2)
        number = bits.take(sequence.frame_number_bits)
        return (number, bits.take(1)) if bits.take(1) else None

    def _learn(self, unit: bytes) -> None:
        """Remember a parameter set (ITU-T H.264, sections 7.3.2.1 and 7.3.2.2)."""
        kind, bits = unit[0] & 31, Bits.of_unit(unit[: HEADER * 8])
        if kind == PICTURE:
            number = bits.exp()
            self._pictures[number] = bits.exp()
        elif kind == SEQUENCE:
            profile = bits.take(8)
            bits.take(16)
            number, planes = bits.exp(), False
            if profile in HIGH:
                planes = _skip_format(bits)
            frame_number_bits = bits.exp() + 4
            order = bits.exp()
            if order == 0:
                bits.exp()
            elif order == 1:
                bits.take(1)
                bits.exp(), bits.exp()
                for _ in range(min(bits.exp(), 255)):
                    bits.exp()
            bits.exp()
            bits.take(1)
            bits.exp(), bits.exp()
            self._sequences[number] = _Sequence(frame_number_bits, not bits.take(1), planes)


def _skip_format(bits: Bits) -> bool:
    """Read the format of the chroma, and the lists of scaling; return whether planes are apart."""
    chroma, planes = bits.exp(), False
    if chroma == 3:
        planes = bool(bits.take(1))
    bits.exp(), bits.exp(), bits.take(1)
    if bits.take(1):
        for index in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _skip_list(bits, 16 if index < 6 else 64)
    return planes


def _skip_list(bits: Bits, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            code = bits.exp()
            following = (last + (-1) ** (code + 1) * -(-code // 2)) % 256
        last = following or last
