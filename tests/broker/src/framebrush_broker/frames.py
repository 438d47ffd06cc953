"""The frames of an AMQP connection (OASIS amqp-core-transport-v1.0, section 2.3), cut out of its byte stream.

proton's engine reads the frames itself, but its Python API does not show a transfer's message format, by which Service
Bus marks a batch. So the connection gives the engine one frame at a time, and looks at each transfer before.
"""

from collections.abc import Iterator

from framebrush_broker import codec

MAX_FRAME_SIZE = 2**20
"""Largest frame in bytes that a client may send; a larger message comes in several frames."""
_PROTOCOL_HEADER_SIZE = 8  # "AMQP", protocol, version; sent before the first frame, and again after SASL
_AMQP = 0
_TRANSFER = 0x14
_MESSAGE_FORMAT = 3


class FrameReader:
    """Cuts a byte stream into protocol headers and frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the encoded frames that `data` completes; bytes that cannot be a frame are yielded as they are.

        The caller's engine refuses the latter, so there is no error to raise here.
        """
        self._buffer += data
        while len(self._buffer) >= 4:
            if self._buffer.startswith(b"AMQP"):
                size = _PROTOCOL_HEADER_SIZE
            else:
                size = int.from_bytes(self._buffer[:4])
                if not 8 <= size <= MAX_FRAME_SIZE:
                    size = len(self._buffer)
            if len(self._buffer) < size:
                return
            frame = bytes(self._buffer[:size])
            del self._buffer[:size]
            yield frame


def message_format(frame: bytes) -> int | None:
    """Return the message format that a frame names: None unless it is a transfer that names one.

    The first transfer of a delivery names it; further ones, of a message in several frames, need not.
    """
    if len(frame) < 9 or frame[5] != _AMQP or frame.startswith(b"AMQP"):
        return None
    start = 4 * frame[4]
    try:
        value = codec.skip(frame, start + 1)
        if frame[start] != 0 or codec.read(frame[start + 1 : value]) != _TRANSFER:
            return None
        fields = codec.elements(frame[value : codec.skip(frame, value)])
        found = codec.read(fields[_MESSAGE_FORMAT]) if len(fields) > _MESSAGE_FORMAT else None
    except (codec.MalformedError, IndexError):
        return None
    return found if isinstance(found, int) else None
