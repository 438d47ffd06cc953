"""The sizes of frames of VP9 (VP9 Bitstream Specification, 7.2), which may change at any frame."""

from collections.abc import Iterator

from framebrush.media import Bits

Size = tuple[int, int]
HEADER, ALL, SYNC, RGB = 16, 0xFF, 24, 7
"""The bytes of a frame that are looked at, all slots of references, the bits of the sync code, a colour space."""
SUPERFRAME, MARK = 0xC0, 0xE0
"""How the index of a packet with several frames begins and ends (annex B), and the bits that tell it."""
TWO_BITS_MORE = (1, 3)
"""The profiles that tell how chroma is sampled."""


class Vp9Sizes:
    """Tells the sizes of the frames that packets show. It knows those of the frames that others refer to."""

    def __init__(self) -> None:
        self._slots: list[Size | None] = [None] * 8

    def __call__(self, data: bytes) -> Size | None:
        """Return the width and the height of the frame that the next packet shows, None if it is unknown."""
        shown = None
        for frame in _frames(data):
            size, shows = self._read(Bits(frame[:HEADER]))
            shown = size if shows else shown
        return shown

    def _read(self, bits: Bits) -> tuple[Size | None, bool]:
        bits.take(2)
        profile = bits.take(1) | bits.take(1) << 1
        bits.take(int(profile == 3))
        if bits.take(1):
            return self._slots[bits.take(3)], True
        inter, shows, resilient = bits.take(1), bool(bits.take(1)), bits.take(1)
        refreshed, intra = ALL, not inter
        if inter:
            intra = not shows and bool(bits.take(1))
            bits.take(0 if resilient else 2)
        if intra:
            bits.take(SYNC)
            if not inter or profile:
                _skip_colors(bits, profile)
        if inter:
            refreshed = bits.take(8)
        size = _size(bits) if intra else self._referred(bits)
        self._slots = [size if refreshed >> slot & 1 else known for slot, known in enumerate(self._slots)]
        return size, shows

    def _referred(self, bits: Bits) -> Size | None:
        """Return the size of a frame that may have that of one of those to which it refers."""
        slots = [bits.take(4) >> 1 for _ in range(3)]
        for slot in slots:
            if bits.take(1):
                return self._slots[slot]
        return _size(bits)


def _size(bits: Bits) -> Size:
    return bits.take(16) + 1, bits.take(16) + 1


def _skip_colors(bits: Bits, profile: int) -> None:
    bits.take(int(profile > 1))
    if bits.take(3) != RGB:
        bits.take(4 if profile in TWO_BITS_MORE else 1)
    else:
        bits.take(int(profile in TWO_BITS_MORE))


def _frames(data: bytes) -> Iterator[bytes]:
    """Yield the frames of a packet."""
    mark = data[-1] if data else 0
    width, count = (mark >> 3 & 3) + 1, (mark & 7) + 1
    index = data[-(2 + width * count) :]
    if mark & MARK != SUPERFRAME or index[0] != mark:
        yield data
        return
    position = 0
    for number in range(count):
        length = int.from_bytes(index[1 + number * width :][:width], "little")
        if length:
            yield data[position : position + length]
        position += length
