"""Which packets of a video show a frame. It needs the extra ``framebrush[video]``."""

from typing import Any

from av.packet import Packet
from av.video.stream import VideoStream

from framebrush.media.fields import Fields
from framebrush.media.naming import codec_name
from framebrush.media.vops import Vops

HIDING = ("vp8", "vp9")
"""The codecs whose packets tell themselves whether they are shown."""


class Shown:
    """Tells of the packets of a video, in the order in which they are stored, whether each of them shows a frame."""

    def __init__(self, stream: VideoStream) -> None:
        self._codec = codec_name(stream)
        extradata = bytes(stream.codec_context.extradata or b"")
        self._fields = Fields(extradata if self._codec == "h264" else b"")
        self._vops = Vops(extradata) if self._codec == "mpeg4" else None

    @property
    def looks_inside(self) -> bool:
        """Return whether it takes the bytes of all packets to tell."""
        return self._codec in HIDING or self._fields.possible

    def __call__(self, packet: "Packet[Any]") -> bool:
        """Return whether a packet shows a frame of its own.

        It does not if it is hidden, is the second field of a frame, or tells that the frame before stays.
        """
        if not packet.size or self._fields.is_second(packet):
            return False
        if self._vops is not None and not self._vops.shows(packet):
            return False
        return not packet.is_discard and not hidden(packet, self._codec)

    @property
    def packed(self) -> bool:
        """Return whether packets may hold two frames, and their times are only those of their places (MPEG-4)."""
        return self._vops is not None and self._vops.packed

    def duration(self, packet: "Packet[Any]") -> int:
        """Return the duration of the frame that the last packet shows, in ticks; 0 if it is unknown."""
        return (packet.duration or 0) * (2 if self._fields.waits else 1)


def hidden(packet: "Packet[Any]", codec: str) -> bool:
    """Return whether the frame in a packet is never shown; other frames refer to it.

    RFC 6386, section 9.1, tells it of VP8; the VP9 Bitstream Specification of VP9, in section 7.2 and annex B: a packet
    may be a superframe of several frames, of which the last one is shown.
    """
    if codec not in HIDING:
        return False
    data = memoryview(packet)
    if codec == "vp8":
        return not data[0] & 0x10
    bits = int.from_bytes(bytes(data[:2]).ljust(2, b"\0"), "big")
    place = 11 if bits >> 12 & 3 == 3 else 12  # of show_existing_frame, behind the marker and the profile
    shows_existing, shows = bits >> place - 1 & 1, bits >> place - 3 & 1
    return data[-1] & 0xE0 != 0xC0 and not shows_existing and not shows
