"""Closed captions in the pictures (CEA-608 and 708), as ATSC A/53 stores them: found in packets, and put into them.

The captions of a frame are triplets: a byte for the kind, and a pair of bytes of text.
"""

import hashlib
import re
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

ATSC, DVD = b"GA94\x03", b"CC\1\xf8"
CAPTIONED = {"h264": (ATSC,), "hevc": (ATSC,), "mpeg2video": (ATSC, DVD), "av1": (ATSC,)}
"""The codecs whose pictures may have captions, and what to look for: parts of how captions begin that have no zeros.
Among many zeros they are found a hundred times as fast."""
CARRYING = ("h264", "h265")
"""The codecs of outputs, as a run names them, that captions are put into."""
CAPTIONS_LOST = "closed captions are left out: they are stored in the pictures (CEA-608 or 708)"
"""The note of a run whose output has another codec."""
MOST_CAPTIONS = 8 * 31 * 3
"""The most bytes that a frame may have: what eight messages hold. A broadcast has two messages for a frame at most."""
BEFORE = (b"\xb5\0\x31", b"\0\0\1\xb2")
"""What is in front of that: a message by ITU-T T.35 begins, or user data of MPEG-2."""
LONGEST = 160
"""The bytes in which a message ends for sure."""
TRIPLETS, PROCESSED = 31, 0x40
"""The most triplets of a message, and the flag that says that they are captions (ATSC A/53, part 4, 6.2.3)."""
SLICES = {"h264": range(1, 6), "hevc": range(32)}
"""The types of NAL units that hold a part of a picture."""
HEADERS = {"h264": b"\x06", "hevc": b"\x4e\x01"}
"""How a NAL unit with messages (SEI) begins."""
NEEDED = re.compile(rb"\x00\x00(?=[\x00-\x03])")


def captions_in(data: bytes, codec: str) -> bytes:
    """Return the captions of the picture in a packet, ``MOST_CAPTIONS`` bytes at most; nothing if there are none.

    Args:
        data: The packet.
        codec: The name of its codec, as FFmpeg has it.
    """
    return b"".join(_messages(data, codec))[:MOST_CAPTIONS]


def with_captions(data: bytes, captions: bytes, codec: str) -> bytes:
    """Return a packet of H.264 or HEVC as an encoder gives it, with captions in front of its first slice.

    Args:
        data: The packet; its NAL units begin with start codes (annex B).
        captions: The captions of its picture.
        codec: The name of its codec, as FFmpeg has it; a packet of another codec is returned as it is.
    """
    if codec not in SLICES:
        return data
    place = data.find(b"\0\0\1")
    while place >= 0 and _kind(data[place + 3], codec) not in SLICES[codec]:
        place = data.find(b"\0\0\1", place + 3)
    if place < 0:
        return data
    place -= place > 0 and data[place - 1] == 0
    return b"".join((data[:place], *_units(captions, HEADERS[codec]), data[place:]))


def hashed(captions: bytes) -> int:
    """Return a number of 64 bits that stands for a frame's captions; 0 if it has none."""
    return int.from_bytes(hashlib.sha256(captions).digest()[:8], "big") if captions else 0


class CaptionLog:
    """Reads the captions of a video's packets, and keeps a hash for each frame: some MB an hour."""

    def __init__(self, codec: str) -> None:
        self._codec, self._last, self._hashes = codec, b"", array("Q")

    def add(self, packet: Any, *, begins: bool) -> None:
        """Add the next packet, in the order in which they are stored.

        Args:
            packet: The packet.
            begins: Whether it is the first one of its frame. The second field of a frame may have its own.
        """
        text = captions_in(bytes(packet), self._codec) if self._codec in CAPTIONED else b""
        if begins:
            self._last = text
            self._hashes.append(hashed(text))
        elif text and self._hashes:
            self._last += text
            self._hashes[-1] = hashed(self._last)

    def ordered(self, times: Sequence[int]) -> "array[int]":
        """Return the hashes of all frames in order of presentation; none if no frame has captions.

        Args:
            times: The presentation times of the frames in the order in which they were added.
        """
        if not any(self._hashes):
            return array("Q")
        return array("Q", (self._hashes[place] for place in sorted(range(len(times)), key=times.__getitem__)))


def _kind(header: int, codec: str) -> int:
    return header & 31 if codec == "h264" else header >> 1 & 63


def _units(captions: bytes, header: bytes) -> Iterator[bytes]:
    for first in range(0, len(captions), 3 * TRIPLETS):
        part = captions[first : first + 3 * TRIPLETS]
        content = b"\xb5\0\x31GA94\x03" + bytes([PROCESSED | len(part) // 3, 0xFF]) + part + b"\xff"
        message = bytes([4, len(content)]) + content + b"\x80"
        yield b"\0\0\0\1" + header + NEEDED.sub(b"\0\0\3", message)


def _messages(data: bytes, codec: str) -> Iterator[bytes]:
    """Yield the triplets of each message in a packet."""
    for mark in CAPTIONED.get(codec, ()):
        place = data.find(mark)
        while place >= 0:
            begin, end = place, place + len(mark)
            place = data.find(mark, end)
            if not data.endswith(BEFORE, 0, begin):
                continue
            if mark == DVD:
                yield _of_dvd(data[end:])
                continue
            rest = data[end : end + LONGEST]
            if codec in HEADERS:  # There are bytes that keep start codes from coming up by chance.
                rest = rest.replace(b"\0\0\3", b"\0\0")
            count = 3 * (rest[0] & TRIPLETS) if len(rest) > 1 and rest[0] & PROCESSED else 0
            if len(rest) >= 2 + count:
                yield rest[2 : 2 + count]


def _of_dvd(data: bytes) -> bytes:
    """Return the captions of a DVD's group of pictures as triplets, as FFmpeg does: it counts pairs for itself."""
    first, result, place = data[:1] >= b"\x80", b"", 1
    while place + 6 <= len(data) and data[place] & 0xFE == 0xFE:
        for pair, field in ((data[place : place + 3], first), (data[place + 3 : place + 6], not first)):
            result += (b"\xfc" if pair[0] == 0xFF and field else b"\xfd") + pair[1:]
        place += 6
    return result
