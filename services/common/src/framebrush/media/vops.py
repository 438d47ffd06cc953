"""Pictures of MPEG-4 (ISO/IEC 14496-2), which calls them VOPs, as DivX and XviD store them in packets.

It needs the extra ``framebrush[video]``.
"""

import re
from typing import Any

from av.packet import Packet

from framebrush.media.nal import Bits

VOP, LAYER = b"\0\0\1\xb6", re.compile(rb"\x00\x00\x01[\x20-\x2f]")
PACKED = re.compile(rb"\x00\x00\x01\xb2DivX\d+(?:Build|b)\d+p")
"""How encoders tell that a packet may hold a picture and the one that is shown before it, since AVI has no other place.
"""
LONGEST_EMPTY = 7
"""The bytes of a packet that is there only so that there are as many packets as pictures."""
HEADER = 64
"""The bytes behind the start of a layer or of a picture that are looked at."""


class Vops:
    """Tells of the packets of MPEG-4, in the order in which they are stored, whether each of them gives a picture."""

    def __init__(self, extradata: bytes) -> None:
        self.packed = False
        """Whether packets may hold two pictures."""
        self._bits, self._waits = 0, False
        self._learn(extradata)

    def shows(self, packet: "Packet[Any]") -> bool:
        """Return whether a picture is shown for a packet: not if it says that the picture before stays.

        A packet that follows one with two pictures stands for the second of them.
        """
        data = bytes(packet)
        first = data.find(VOP)
        self._learn(data[:first] if first >= 0 else data)
        if not self.packed:
            return first < 0 or self._is_coded(data, first)
        if self._waits:
            self._waits = first >= 0 and len(data) > LONGEST_EMPTY
            return True
        self._waits = first >= 0 and data.find(VOP, first + len(VOP)) >= 0
        return first < 0 or self._is_coded(data, first)

    def _learn(self, data: bytes) -> None:
        """Remember how many bits tell the time of a picture (6.2.3), and whether packets may hold two."""
        self.packed = self.packed or bool(PACKED.search(data))
        if (start := LAYER.search(data)) is None:
            return
        bits = Bits(data[start.end() :][:HEADER])
        bits.take(9)
        if bits.take(1):
            bits.take(7)
        if bits.take(4) == 15:
            bits.take(16)
        if bits.take(1):
            bits.take(3)
            if bits.take(1):
                bits.take(79)
        bits.take(3)
        self._bits = max(1, (bits.take(16) - 1).bit_length())

    def _is_coded(self, data: bytes, place: int) -> bool:
        """Return what a picture's ``vop_coded`` says (6.2.5)."""
        if not self._bits:
            return True
        bits = Bits(data[place + len(VOP) :][:HEADER])
        bits.take(2)
        while bits.take(1):
            pass
        bits.take(1 + self._bits + 1)
        return bool(bits.take(1))
