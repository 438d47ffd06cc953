"""What a packet tells without being decoded."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from framebrush.media import UNTIMED, units

H264_IDR, H264_SEI = 5, 6
HEVC_IRAP, HEVC_IDR = range(16, 24), {19, 20}
FIRST = 64
"""The packets that tell whether packets are stored in another order than that of their times."""
RECOVERY_POINT = 6
"""The type of the SEI message that announces a recovery point (ITU-T H.264, annex D)."""


def is_random_access_point(packet: "Packet[Any]", codec: str) -> bool:
    """Return whether decoding can begin at a keyframe, so that every frame shown from there on is exact.

    A container marks as a keyframe what its muxer took for one. In most codecs a frame refers to no frame before the
    last keyframe. In H.264 a frame may refer to frames before any frame except an IDR frame. A recovery point may state
    that this frame is exact already; with gradual refresh, frames are exact only later.

    Args:
        packet: A packet that the container marks as a keyframe.
        codec: The name of its codec, as FFmpeg has it.
    """
    if codec not in ("h264", "hevc"):
        return True
    hevc = codec == "hevc"
    for unit in units(bytes(packet), bytes(packet.stream.codec_context.extradata or b""), codec):
        if hevc and (unit[0] >> 1) & 63 in HEVC_IRAP:
            return True
        kind = unit[0] & 31
        if not hevc and (kind == H264_IDR or (kind == H264_SEI and _recovers_at_once(unit))):
            return True
    return False


def is_idr(packet: "Packet[Any]", codec: str) -> bool:
    """Return whether a packet of H.264 or HEVC holds an IDR picture: nothing from there on refers to what is before."""
    kinds = {
        unit[0] & 31 if codec == "h264" else unit[0] >> 1 & 63
        for unit in units(bytes(packet), bytes(packet.stream.codec_context.extradata or b""), codec)
    }
    return bool(kinds & (HEVC_IDR if codec == "hevc" else {H264_IDR}))


def untimed(container: InputContainer, stream: VideoStream, times: Sequence[int], *, packed: bool) -> bool:
    """Return whether frames have no times of their own: packets are numbered in the order in which they are stored.

    The time of a frame then follows from its position among all frames. AVI and raw streams have no other times, and
    MXF has none if its index has no offsets of reordering. Packets with two frames (DivX, XviD) have one time for both,
    in any container.

    Args:
        container: The video, opened.
        stream: Its video stream.
        times: The times of its first packets, ``FIRST`` if there are so many, in the order in which they are stored.
        packed: Whether packets may hold two frames.
    """
    if packed or container.format.name in UNTIMED:
        return True
    if not stream.codec_context.has_b_frames:
        return False
    ordered = all(a <= b for a, b in pairwise(times[:FIRST]))
    return container.format.name == "avi" or (container.format.name == "mxf" and ordered)


def has_alpha(packet: "Packet[Any]") -> bool:
    """Return whether a packet of VP8 or VP9 has a picture of transparency with it (WebM's BlockAdditional 1)."""
    return bytes(packet.get_sidedata("matroska_block_additional"))[:8] == b"\0\0\0\0\0\0\0\1"


def _recovers_at_once(unit: bytes) -> bool:
    """Return whether an SEI unit states that this frame is exact: recovery_frame_cnt is 0, exact_match_flag is 1."""
    data, position = unit[1:].replace(b"\0\0\3", b"\0\0") + b"\0\0\0", 0
    while position + 3 < len(data):
        kind, position = _number(data, position)
        length, position = _number(data, position)
        if kind == RECOVERY_POINT:
            return data[position : position + 1] >= b"\xc0"  # ue(0) is one bit, the flag the next
        position += length
    return False


def _number(data: bytes, position: int) -> tuple[int, int]:
    """Return the type or the size of an SEI message, and the position after it.

    The number is the sum of its bytes: any number of bytes with the value 255, and one with another value.
    """
    value = 0
    while data[position] == 255:
        value, position = value + 255, position + 1
    return value + data[position], position + 1
