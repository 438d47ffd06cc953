"""Films with messages in their pictures, such as closed captions."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import av

from support.film import Film

PLAIN = Film(sounds=())
MESSAGES = {"libx264": b"\x06\x04", "libx265": b"\x4e\x01\x04"}
"""How a NAL unit begins with a message that is registered by ITU-T T.35."""


def rewritten(path: Path, film: Film, change: Callable[[bytes], bytes], **muxer: Any) -> Path:
    """A film whose pictures are stored in other bytes."""
    plain = film.write(path.with_name(f"plain{path.suffix}"))
    with av.open(str(plain)) as source, av.open(str(path), "w", **muxer) as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream, opaque=True)
        for packet in source.demux(stream):
            if packet.size:
                changed: Any = av.Packet(change(bytes(packet)))
                changed.pts, changed.dts, changed.duration = packet.pts, packet.dts, packet.duration
                changed.time_base, changed.is_keyframe, changed.stream = packet.time_base, packet.is_keyframe, copy
                target.mux(changed)
    return path


def unit(content: bytes, codec: str = "libx264") -> bytes:
    """A NAL unit of H.264 or HEVC with a message (SEI, registered by ITU-T T.35)."""
    return MESSAGES[codec] + bytes([len(content)]) + content + b"\x80"


def message(content: bytes, codec: str = "libx264") -> Callable[[bytes], bytes]:
    """Put a message before each picture of H.264 or HEVC in MP4 or Matroska."""
    sei = unit(content, codec)
    return lambda picture: len(sei).to_bytes(4, "big") + sei + picture


def a53(number: int, triplets: int = 2) -> Iterator[bytes]:
    """The captions of a picture, pairs of bytes of CEA-608 and 708, as ATSC A/53 has them: 31 in a message at most."""
    for first in range(0, triplets, 31):
        pairs = bytes([0xFC, 0x94, number, 0xFE, 0, 0] * 32)[: 3 * min(31, triplets - first)]
        yield b"GA94\x03" + bytes([0xC0 | len(pairs) // 3, 0xFF]) + pairs + b"\xff"


def captions(path: Path, film: Film = PLAIN, *, triplets: int = 2, every: int = 1, first: int = 0) -> Path:
    """Closed captions as broadcasters have them, others in each frame.

    Args:
        path: The file.
        film: The film that gets them.
        triplets: The pairs in a frame.
        every: One frame of so many has captions.
        first: The number of the first one, in the order in which frames are stored.
    """
    numbers = count()

    def captioned(picture: bytes) -> bytes:
        number = next(numbers)
        for content in a53(number, triplets if number % every == first % every else 0):
            if film.codec == "mpeg2video":
                slices = picture.index(b"\0\0\1\1")
                picture = picture[:slices] + b"\0\0\1\xb2" + content + picture[slices:]
            elif film.codec == "libsvtav1":
                metadata = b"\x04\xb5\0\x31" + content + b"\x80"
                picture = bytes([5 << 3 | 2, len(metadata)]) + metadata + picture
            else:
                picture = message(b"\xb5\0\x31" + content, film.codec)(picture)
        return picture

    return rewritten(path, film, captioned, **({"format": film.format} if film.format else {}))
