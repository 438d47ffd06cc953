"""The NAL units of H.264 and HEVC, and the numbers in them."""

from collections.abc import Iterator

SIZE_AT = {"h264": 4, "hevc": 21}
"""Where the extradata of MP4 tells the width of sizes (ISO/IEC 14496-15)."""


def units(data: bytes, extra: bytes, codec: str) -> Iterator[bytes]:
    """Yield the NAL units of a packet, which have sizes (ISO/IEC 14496-15) or start codes in front of them."""
    if len(extra) <= SIZE_AT[codec] or extra[0] != 1:
        yield from filter(None, data.split(b"\0\0\1")[1:])
        return
    size, position = (extra[SIZE_AT[codec]] & 3) + 1, 0
    while position + size < len(data):
        length = int.from_bytes(data[position : position + size], "big")
        if not length:  # No unit is empty: the rest is not here, see the splitter's ``sparse``.
            return
        yield data[position + size : position + size + length]
        position += size + length


def parameter_sets(extra: bytes) -> Iterator[bytes]:
    """Yield the units of H.264 in extradata."""
    if extra[:1] != b"\1":
        yield from units(extra, b"", "h264")
        return
    position = 5
    for mask in (31, 255):
        count, position = extra[position] & mask if position < len(extra) else 0, position + 1
        for _ in range(count):
            length = int.from_bytes(extra[position : position + 2], "big")
            yield extra[position + 2 : position + 2 + max(1, length)]
            position += 2 + length


class Bits:
    """Reads the numbers in some bytes, bit by bit. Behind their end there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._bits, self._left = int.from_bytes(data, "big"), len(data) * 8

    @classmethod
    def of_unit(cls, unit: bytes) -> "Bits":
        """Return the bits of a NAL unit behind its first byte, without the bytes that keep start codes out of it."""
        return cls(unit[1:].replace(b"\0\0\3", b"\0\0"))

    def take(self, count: int) -> int:
        """Return the next bits as a number."""
        self._left -= count
        if self._left < 0:
            return 0
        return self._bits >> self._left & ((1 << count) - 1)

    def exp(self) -> int:
        """Return the next number in Exp-Golomb code (ITU-T H.264, section 9.1)."""
        zeros = 0
        while self._left > 0 and not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros) if zeros else 0
