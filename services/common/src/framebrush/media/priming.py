"""What decoders leave out at the beginning of sound, since encoders need it to begin. It needs ``framebrush[video]``.

MP4 tells it by an edit list, and FFmpeg by the first packet only, when Matroska's header is written. So the stream is
described to FFmpeg by a Matroska file with that delay (RFC 9559, section 5.1.4.1.25).
"""

import io
from fractions import Fraction
from typing import Any

import av
from av.packet import Packet
from av.stream import Stream

from framebrush.media.ebml import elements, joined, with_entry
from framebrush.media.naming import codec_name

EDITED = "mov,mp4,m4a,3gp,3g2,mj2"
"""FFmpeg's name of the format with edit lists."""
OWN = ("opus",)
"""Codecs that tell it themselves, in every container."""
CODEC_DELAY = 0x56AA
MATROSKA = ("matroska", "webm")


def primed(stream: Stream, target: str) -> Stream:
    """Return a stream as a template of its copy: with its delay, if that would be lost.

    Args:
        stream: The sound of the input.
        target: FFmpeg's name of the output's format.
    """
    edited = stream.type == "audio" and stream.container.format.name == EDITED
    delay = _delay(stream) if edited and target in MATROSKA and codec_name(stream) not in OWN else 0
    if not delay:
        return stream
    described = io.BytesIO()
    with av.open(described, "w", format="matroska") as container:
        packet: Any = Packet(bytes(8))  # FFmpeg opens no file without one.
        packet.stream, packet.pts, packet.dts = container.add_stream_from_template(stream, opaque=True), 0, 0
        container.mux(packet)
    nanoseconds = round(delay * 10**9)
    added = (CODEC_DELAY, nanoseconds.to_bytes(8, "big"))
    file = with_entry(described.getvalue(), lambda entry: joined([*elements(entry), added]))
    return av.open(io.BytesIO(file), "r").streams.audio[0]


def _delay(stream: Stream) -> Fraction:
    """Return the seconds at the beginning of a stream of MP4 that are not heard."""
    if not len(stream.index_entries) or stream.start_time is None or stream.time_base is None:
        return Fraction(0)
    return max(Fraction(0), (stream.start_time - stream.index_entries[0].timestamp) * stream.time_base)
