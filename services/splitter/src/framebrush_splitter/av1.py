"""The sizes of frames of AV1 (AV1 Bitstream & Decoding Process Specification, 5.5 and 5.9), which may always change."""

from collections.abc import Iterator
from dataclasses import dataclass

from framebrush.media import Bits

Size = tuple[int, int]
HEADERS, HEADER, ALL, TOLD = 128, 64, 0xFF, 2
"""The bytes that are looked at of the header of a sequence and of a frame, all slots of references, and that each frame
tells a choice by itself."""
SEQUENCE, FRAMES = 1, (3, 6)
"""The types of units (OBU) with the sequence's header, and with that of a frame."""
KEY, INTRA_ONLY, SWITCH = 0, 2, 3
"""The types of frames that are looked for here."""


def units(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the types of the units (OBU) of a packet, and the beginnings of their contents (5.3)."""
    position = 0
    while position < len(data):
        header, position = data[position], position + 1 + (data[position] >> 2 & 1)
        size, shift = 0, 0
        if not header & 2:  # It has no size, and goes on to the end.
            size = len(data) - position
        for byte in data[position : position + 8 * (header >> 1 & 1)]:
            position, size, shift = position + 1, size | (byte & 127) << shift, shift + 7
            if byte < 128:
                break
        yield header >> 3 & 15, data[position : position + min(size, HEADERS)]
        position += size


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What the headers of frames depend on."""

    size: Size
    size_bits: tuple[int, int]
    still: bool
    id_bits: int
    """The bits of a frame's number, 0 if frames have none."""
    difference_bits: int
    screen: int
    """Whether tools for screen content are used, or ``TOLD``."""
    integers: int
    """Whether motion is in whole pixels, or ``TOLD``."""
    order_bits: int
    moment_bits: int
    """The bits that tell when a frame is shown."""
    removal_bits: int
    """The bits that tell when a buffer is free, 0 if nothing tells it."""
    points: tuple[tuple[int, bool], ...]
    """The layers of each operating point, and whether it tells when buffers are free."""


class Av1Sizes:
    """Tells the sizes of the frames that packets show. It knows those of the frames that others refer to."""

    def __init__(self, configuration: bytes) -> None:
        """Begin with what the container tells (``av1C``), which may be nothing."""
        self._slots: list[tuple[Size | None, bool]] = [(None, False)] * 8
        self._sequence: _Sequence | None = None
        self._header = b""
        self._alike = True
        """Whether all frames so far have the size that the sequence tells: then the rest of a header tells nothing."""
        self(configuration[4:])

    def __call__(self, data: bytes) -> Size | None:
        """Return the width and the height of the frame that the next packet shows, None if it is unknown.

        Of several layers it is that of the last one.
        """
        shown = None
        for kind, content in units(data):
            if kind == SEQUENCE and content != self._header:
                self._header, self._sequence = content, _sequence(Bits(content[:HEADERS]))
                if self._alike:
                    self._slots = [(self._sequence.size, False)] * 8
            elif kind in FRAMES and self._sequence is not None:
                size, shows = self._read(Bits(content[:HEADER]), self._sequence)
                shown = size if shows else shown
        return shown

    def _read(self, bits: Bits, sequence: _Sequence) -> tuple[Size | None, bool]:
        kind, shows, resilient = KEY, True, True
        if not sequence.still:
            if bits.take(1):
                size, key = self._slots[bits.take(3)]
                if key:
                    self._slots = [(size, key)] * 8
                return size, True
            kind, shows = bits.take(2), bool(bits.take(1))
            bits.take(sequence.moment_bits if shows else 1)
            resilient = kind == SWITCH or (kind == KEY and shows) or bool(bits.take(1))
        bits.take(1)
        if bits.take(1) if sequence.screen == TOLD else sequence.screen:
            bits.take(int(sequence.integers == TOLD))
        bits.take(sequence.id_bits)
        other = kind == SWITCH or (not sequence.still and bool(bits.take(1)))
        self._alike = self._alike and not other
        if self._alike:
            return sequence.size, shows
        bits.take(sequence.order_bits)
        inter = kind not in (KEY, INTRA_ONLY)
        bits.take(3 if inter and not resilient else 0)
        if sequence.removal_bits and bits.take(1):
            for layers, tells in sequence.points:
                told = tells and (not layers or layers & layers >> 8 & 1)
                bits.take(sequence.removal_bits if told else 0)
        refreshed = ALL if kind == SWITCH or (kind == KEY and shows) else bits.take(8)
        if resilient and (inter or refreshed != ALL):
            bits.take(8 * sequence.order_bits)
        size = self._referred(bits, sequence, other=other, resilient=resilient) if inter else None
        if not inter:
            size = _size(bits, sequence, other=other)
        new = size, kind == KEY
        self._slots = [new if refreshed >> slot & 1 else known for slot, known in enumerate(self._slots)]
        return size, shows

    def _referred(self, bits: Bits, sequence: _Sequence, *, other: bool, resilient: bool) -> Size | None:
        """Return the size of a frame that may have that of one of those to which it refers."""
        if not other:
            return sequence.size
        if sequence.order_bits and bits.take(1):  # The slots follow from the order of frames, which is not known here.
            return None
        slots = list[int]()
        for _ in range(7):
            slots.append(bits.take(3))
            bits.take(sequence.difference_bits)
        for slot in slots if not resilient else ():
            if bits.take(1):
                return self._slots[slot][0]
        return _size(bits, sequence, other=True)


def _size(bits: Bits, sequence: _Sequence, *, other: bool) -> Size:
    if not other:
        return sequence.size
    width, height = (bits.take(count) + 1 for count in sequence.size_bits)
    return width, height


def _sequence(bits: Bits) -> _Sequence:
    """Return what the header of a sequence tells."""
    bits.take(4)
    still, moment_bits, removal_bits, delay_bits, equal = bool(bits.take(1)), 0, 0, 0, False
    points = list[tuple[int, bool]]()
    if still:
        bits.take(5)
    else:
        if bits.take(1):
            bits.take(64)
            equal = bool(bits.take(1))
            if equal:
                bits.exp()
            if bits.take(1):
                delay_bits = bits.take(5) + 1
                bits.take(32)
                removal_bits, moment_bits = bits.take(5) + 1, bits.take(5) + 1
        delayed = bits.take(1)
        for _ in range(bits.take(5) + 1):
            layers = bits.take(12)
            bits.take(int(bits.take(5) > 7))
            tells = bool(delay_bits and bits.take(1))
            bits.take(2 * delay_bits + 1 if tells else 0)
            bits.take(4 if delayed and bits.take(1) else 0)
            points.append((layers, tells))
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    size = bits.take(width_bits) + 1, bits.take(height_bits) + 1
    difference_bits = id_bits = 0
    if not still and bits.take(1):
        difference_bits = bits.take(4) + 2
        id_bits = bits.take(3) + 1 + difference_bits
    bits.take(3)
    screen, integers, order_bits = TOLD, TOLD, 0
    if not still:
        bits.take(4)
        ordered = bits.take(1)
        bits.take(2 * ordered)
        screen = TOLD if bits.take(1) else bits.take(1)
        if screen:
            integers = TOLD if bits.take(1) else bits.take(1)
        order_bits = bits.take(3) + 1 if ordered else 0
    return _Sequence(
        size=size,
        size_bits=(width_bits, height_bits),
        still=still,
        id_bits=id_bits,
        difference_bits=difference_bits,
        screen=screen,
        integers=integers,
        order_bits=order_bits,
        moment_bits=0 if equal else moment_bits,
        removal_bits=removal_bits,
        points=tuple(points),
    )
