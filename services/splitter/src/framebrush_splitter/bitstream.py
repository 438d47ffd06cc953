"""What packets tell without being decoded."""

from collections.abc import Iterator
from typing import Any

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

H264_IDR, H264_SEI = 5, 6
HEVC_IRAP = range(16, 24)
RECOVERY_POINT = 6
"""Type of the SEI message that promises a recovery point (ITU-T H.264, annex D)."""


def exact_entry(packet: "Packet[Any]", codec: str) -> bool:
    """Whether decoding can begin at a keyframe so that everything shown from there on is exact.

    Containers flag whatever their muxer took for a keyframe. In most codecs pictures refer no further back than to the
    keyframe before them. H.264 may refer past any picture but an IDR, unless a recovery point says that the next
    picture is exact already; with gradual refresh it is exact only later.
    """
    if codec not in ("h264", "hevc"):
        return True
    hevc = codec == "hevc"
    for unit in _units(bytes(packet), bytes(packet.stream.codec_context.extradata or b""), 21 if hevc else 4):
        if hevc and (unit[0] >> 1) & 63 in HEVC_IRAP:
            return True
        kind = unit[0] & 31
        if not hevc and (kind == H264_IDR or (kind == H264_SEI and _recovers_at_once(unit))):
            return True
    return False


def untimed(container: InputContainer, stream: VideoStream) -> bool:
    """Whether a frame's time follows from its place among all frames only: AVI counts packets, reordered or not."""
    return container.format.name == "avi" and bool(stream.codec_context.has_b_frames)


def hidden(packet: "Packet[Any]", codec: str) -> bool:
    """Whether a packet holds a frame that is never shown, only referred to (RFC 6386, 9.1)."""
    return codec == "vp8" and not memoryview(packet)[0] & 0x10


def _units(data: bytes, extra: bytes, size_at: int) -> Iterator[bytes]:
    """The NAL units of a packet: with their sizes before them (ISO/IEC 14496-15), or with start codes."""
    if len(extra) <= size_at or extra[0] != 1:
        yield from filter(None, data.split(b"\0\0\1")[1:])
        return
    size, position = (extra[size_at] & 3) + 1, 0
    while position + size < len(data):
        length = int.from_bytes(data[position : position + size], "big")
        yield data[position + size : position + size + max(1, length)]
        position += size + length


def _recovers_at_once(unit: bytes) -> bool:
    """Whether an SEI unit says: exact from this picture on (recovery_frame_cnt 0, exact_match_flag 1)."""
    data, position = unit[1:].replace(b"\0\0\3", b"\0\0") + b"\0\0\0", 0
    while position + 3 < len(data):
        kind, position = _number(data, position)
        length, position = _number(data, position)
        if kind == RECOVERY_POINT:
            return data[position : position + 1] >= b"\xc0"  # ue(0) is one bit, the flag the next
        position += length
    return False


def _number(data: bytes, position: int) -> tuple[int, int]:
    """A type or size of an SEI message, and the position after it: bytes of 255 add up with the one that ends them."""
    value = 0
    while data[position] == 255:
        value, position = value + 255, position + 1
    return value + data[position], position + 1
