"""Finds out before anything is decoded whether the size of a video changes, as in calls that are recorded.

Its pixel aspect and its colours may change, too, as in broadcasts.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
from av.codec.context import Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from framebrush.errors import InvalidVideo
from framebrush.media import codec_name, quoted, units
from framebrush_splitter import av1
from framebrush_splitter.vp9 import Vp9Sizes

PARAMETERS = {"h264": (31, 0, (7,)), "hevc": (63, 1, (33,))}
"""The units with the size of frames: the bits of their header that tell the type, their place, and the types."""
MARKS = {
    "mpeg1video": (b"\0\0\1\xb3", 4),
    "mpeg2video": (b"\0\0\1\xb3", 4),
    "vp8": (b"\x9d\x01\x2a", 4),
    "vp9": (b"\x49\x83\x42", 5),
    "mpeg4": (b"\0\0\1\x20", 12),
    "prores": (b"icpf", 12),
    "dnxhd": (b"\0\0\2\x80", 24),
    "png": (b"IHDR", 8),
    "jpeg2000": (b"\xff\x4f\xff\x51", 20),
}
"""What stands before the size in a keyframe, and the bytes behind it in which it is."""
FRAME_HEADERS = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""The markers of JPEG before the size of a frame."""
RANGES, MOST_CHANGES = {2: "full"}, 8


@dataclass(frozen=True, slots=True)
class _Look:
    """How the first frame of a packet looks."""

    size: tuple[int, int]
    """The width and the height in pixels."""
    aspect: str
    """The pixel aspect."""
    colors: str
    """The matrix, the transfer, the primaries (code points of H.273) and the range."""


class Sizes:
    """Looks at the packets of a video in order. A keyframe that tells another size than known ones is decoded."""

    def __init__(self, stream: VideoStream, width: int, height: int) -> None:
        """Begin with the size of the first frame, in pixels."""
        self._stream, self._codec, self._size = stream, codec_name(stream), (width, height)
        self._known, self._first = set[bytes](), b""
        self._look: _Look | None = None
        self.changes = dict[str, None]()
        """What else changes, in words for notes."""
        self._extradata = bytes(stream.codec_context.extradata or b"")
        self._frames: Callable[[bytes], tuple[int, int] | None] | None = None
        if self._codec in ("av1", "vp9"):
            self._frames = av1.Av1Sizes(self._extradata) if self._codec == "av1" else Vp9Sizes()

    def __call__(self, packet: "Packet[Any]") -> None:
        """Look at the next packet.

        Raises:
            InvalidVideo: Its frame has another size than the first one.
        """
        found = self._frames(bytes(packet)) if self._frames is not None else None
        if found not in (None, self._size):
            raise size_change(self._stream.container.name, self._size, found)
        renewed = packet.has_sidedata("new_extradata")
        if renewed:
            self._extradata = bytes(packet.get_sidedata("new_extradata"))
        if not (packet.is_keyframe or renewed):
            return
        told = self._extradata * renewed + b"".join(_sizes(bytes(packet), self._extradata, self._codec))
        if not told or told in self._known:
            return
        if self._known or renewed:
            self._compare(bytes(packet))
        self._known.add(told)
        self._first = self._first or bytes(packet)

    def _compare(self, data: bytes) -> None:
        found, self._look = self._decode(data), self._look or self._decode(self._first or data)
        if found is None:
            return
        if found.size != self._size:
            raise size_change(self._stream.container.name, self._size, found.size)
        before = self._look
        if before is not None and found.aspect != before.aspect and len(self.changes) < MOST_CHANGES:
            words = f"the pixel aspect changes from {before.aspect} to {found.aspect}"
            self.changes[f"{words}: the output has the first one throughout"] = None
        if before is not None and found.colors != before.colors and len(self.changes) < MOST_CHANGES:
            words = f"the colours change from {before.colors} to {found.colors} (matrix/transfer/primaries)"
            self.changes[f"{words}: the output has the first ones throughout; matrix and range are converted"] = None

    def _decode(self, data: bytes) -> _Look | None:
        """Return how the first frame of a packet looks, None if it cannot be decoded by itself."""
        decoder = cast(VideoCodecContext, av.CodecContext.create(self._stream.codec_context.name, "r"))
        decoder.extradata = self._extradata or None
        decoder.flags |= Flags.unaligned  # as in crop_exactly
        with suppress(av.FFmpegError):  # Damage is found where frames are decoded.
            for frame in (*decoder.decode(Packet(data)), *decoder.decode(None)):
                colors = f"{int(frame.colorspace)}/{frame.color_trc}/{frame.color_primaries}"
                span = RANGES.get(int(frame.color_range), "limited")
                aspect = decoder.sample_aspect_ratio or Fraction(1)
                words = f"{aspect.numerator}:{aspect.denominator}", f"{colors} {span}"
                return _Look((frame.width, frame.height), *words)
        return None


def size_change(name: str, size: tuple[int, int], found: tuple[int, int]) -> InvalidVideo:
    """Return the refusal of a video whose size changes, in pixels."""
    was, now = ("{}x{}".format(*each) for each in (size, found))
    return InvalidVideo(
        f"the frame size changes from {was} to {now}; to make all frames alike: "
        f"ffmpeg -i {quoted(name)} -vf scale={was.replace('x', ':')} -c:a copy one_size.mp4"
    )


def _sizes(data: bytes, extradata: bytes, codec: str) -> Iterator[bytes]:
    """Yield the parts of a keyframe that tell its size, perhaps with something beside it; nothing if it tells none."""
    if codec in PARAMETERS:
        bits, shift, kinds = PARAMETERS[codec]
        yield from (bytes(unit) for unit in units(data, extradata, codec) if unit[0] >> shift & bits in kinds)
    elif codec in MARKS:
        mark, length = MARKS[codec]
        place = data.find(mark)
        yield data[place + len(mark) :][:length] if place >= 0 else b""
    elif codec == "av1":
        yield from (content for kind, content in av1.units(data) if kind == av1.SEQUENCE)
    elif codec == "mjpeg":
        yield _frame_header(data)


def _frame_header(data: bytes) -> bytes:
    """Return the header of a frame of JPEG (ITU-T T.81, B.2.2): a thumbnail before it has one, too."""
    position = 2
    while data[position : position + 1] == b"\xff" and position + 4 <= len(data):
        kind, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if kind in FRAME_HEADERS:
            return data[position + 4 : position + 2 + length]
        position += 1 if kind == 0xFF else 2 + length
    return b""
