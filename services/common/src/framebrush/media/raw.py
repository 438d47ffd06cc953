"""Raw streams, which are pictures without a container. It needs the extra ``framebrush[video]``.

FFmpeg gives the packets of raw H.264 and HEVC no times: here they are numbered in the order in which they are stored,
and the frames that they give are as many, at the same times.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, TypeAlias

from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from framebrush.media.shown import Shown

AnyPacket: TypeAlias = "Packet[Any]"
UNTIMED = ("h264", "hevc")
"""FFmpeg's names of the raw formats whose packets have no times."""
RATELESS = (*UNTIMED, "mjpeg", "obu")
"""Those whose frame rate may be an assumption."""
RAW = (*RATELESS, "mpegvideo", "m4v")
"""Those for which FFmpeg states a frame rate that is not theirs."""
ASSUMED_RATE = Fraction(25)
"""The frames per second where nothing tells, as FFmpeg and players assume it."""


def told_rate(stream: VideoStream) -> Fraction | None:
    """Return the frames per second that the pictures of a raw stream tell, None if they tell none."""
    return stream.codec_context.framerate or None


def numbered(packets: Iterator[AnyPacket], container: InputContainer) -> Iterator[AnyPacket]:
    """Yield packets; those of a raw stream without times get the time of their number.

    Args:
        packets: The packets, from the beginning of the file.
        container: The file.
    """
    if container.format.name not in UNTIMED:
        yield from packets
        return
    stream, count = container.streams.video[0], 0
    shown, rate = Shown(stream), told_rate(stream) or ASSUMED_RATE
    duration = max(1, round(1 / (rate * (stream.time_base or Fraction(1)))))
    for packet in packets:
        if packet.size:
            count += shown(packet)
            packet.pts = packet.dts = (count - 1) * duration
            packet.duration = duration
            packet.duration = duration * duration // (shown.duration(packet) or duration)
        yield packet
