"""The part of AMQP 1.0's type encoding (OASIS amqp-core-types-v1.0, section 1.6) that a broker needs.

A broker reads a message's header and annotations and rewrites them; properties, application properties and body must
pass through as the very bytes that were sent. A full decode and encode would not keep them (integer widths, symbols,
map order), and would cost more than all the rest of the broker, so values are cut out of the payload by their size.
"""

import struct
import uuid
from collections.abc import Iterator, Mapping, Sequence

HEADER, DELIVERY_ANNOTATIONS, MESSAGE_ANNOTATIONS, PROPERTIES, APPLICATION_PROPERTIES = 0x70, 0x71, 0x72, 0x73, 0x74
DATA, SEQUENCE, VALUE, FOOTER = 0x75, 0x76, 0x77, 0x78

NULL = b"\x40"

# The high nibble of a constructor gives the width of the value: fixed, or a size field of 1 or 4 bytes.
_FIXED_WIDTH = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
_SIZE_WIDTH = {0xA: 1, 0xB: 4, 0xC: 1, 0xD: 4, 0xE: 1, 0xF: 4}

_FIXED_FORMATS = {
    0x50: ">B",
    0x51: ">b",
    0x52: ">B",
    0x53: ">B",
    0x54: ">b",
    0x55: ">b",
    0x60: ">H",
    0x61: ">h",
    0x70: ">I",
    0x71: ">i",
    0x72: ">f",
    0x80: ">Q",
    0x81: ">q",
    0x82: ">d",
    0x83: ">q",
}
_CONSTANTS = {0x40: None, 0x41: True, 0x42: False, 0x43: 0, 0x44: 0}

Primitive = None | bool | int | float | str | bytes | uuid.UUID


class MalformedError(ValueError):
    """Bytes that are not a valid AMQP encoding."""


def skip(data: bytes, start: int) -> int:
    """Return the offset after the value that begins at `start`. Raises MalformedError when it runs over the end."""
    try:
        code = data[start]
        if code == 0:  # a described value: descriptor, then value
            return skip(data, skip(data, start + 1))
        kind = code >> 4
        if kind in _FIXED_WIDTH:
            end = start + 1 + _FIXED_WIDTH[kind]
        else:
            width = _SIZE_WIDTH[kind]
            end = start + 1 + width + int.from_bytes(data[start + 1 : start + 1 + width])
    except (IndexError, KeyError, RecursionError):
        raise MalformedError(f"no AMQP value at byte {start}") from None
    if end > len(data):
        raise MalformedError(f"the AMQP value at byte {start} ends after the last byte")
    return end


def read(raw: bytes) -> Primitive:
    """Decode one primitive value; timestamps come as milliseconds, strings and symbols as str."""
    if not raw:
        raise MalformedError("an empty AMQP value")
    code = raw[0]
    if code in _CONSTANTS:
        return _CONSTANTS[code]
    try:
        if code == 0x56:
            return raw[1] == 1
        if code in _FIXED_FORMATS:
            value: int | float = struct.unpack_from(_FIXED_FORMATS[code], raw, 1)[0]
            return value
        if code == 0x98:
            return uuid.UUID(bytes=raw[1:17])
        if code in (0xA0, 0xB0):
            return raw[2 if code == 0xA0 else 5 :]
        if code in (0xA1, 0xA3, 0xB1, 0xB3):
            return raw[2 if code < 0xB0 else 5 :].decode()
    except (struct.error, UnicodeDecodeError, ValueError) as error:
        raise MalformedError(f"a value of type 0x{code:02x} is broken: {error}") from None
    raise MalformedError(f"a primitive value is needed here, not type 0x{code:02x}")


def elements(raw: bytes) -> list[bytes]:
    """Cut a list or map into the encoded bytes of its elements; a map gives key, value, key, value, …"""
    if not raw:
        raise MalformedError("an empty AMQP list or map")
    code = raw[0]
    if code == 0x45:
        return []
    if code not in (0xC0, 0xC1, 0xD0, 0xD1):
        raise MalformedError(f"a list or map is needed here, not type 0x{code:02x}")
    at = 3 if code < 0xD0 else 9
    found = []
    while at < len(raw):
        end = skip(raw, at)
        found.append(raw[at:end])
        at = end
    return found


def sections(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut an encoded message into (section code, encoded value) in their order."""
    at = 0
    while at < len(payload):
        if payload[at] != 0:
            raise MalformedError(f"no message section at byte {at}")
        value = skip(payload, at + 1)
        code = read(payload[at + 1 : value])
        if not isinstance(code, int) or not HEADER <= code <= FOOTER:
            raise MalformedError(f"unknown message section {code!r} at byte {at}")
        at = skip(payload, value)
        yield code, payload[value:at]


def section(code: int, value: bytes) -> bytes:
    """Encode one message section."""
    return b"\x00\x53" + bytes((code,)) + value


def uint(number: int) -> bytes:
    """Encode an AMQP uint."""
    return struct.pack(">BI", 0x70, number)


def long(number: int) -> bytes:
    """Encode an AMQP long."""
    return struct.pack(">Bq", 0x81, number)


def int32(number: int) -> bytes:
    """Encode an AMQP int."""
    return struct.pack(">Bi", 0x71, number)


def timestamp(seconds: float) -> bytes:
    """Encode seconds since the epoch as an AMQP timestamp (milliseconds)."""
    return struct.pack(">Bq", 0x83, int(seconds * 1000))


def string(text: str) -> bytes:
    """Encode an AMQP string."""
    return _sized(0xA1, 0xB1, text.encode())


def symbol(text: str) -> bytes:
    """Encode an AMQP symbol."""
    return _sized(0xA3, 0xB3, text.encode())


def binary(data: bytes) -> bytes:
    """Encode AMQP binary."""
    return _sized(0xA0, 0xB0, data)


def _sized(small: int, large: int, data: bytes) -> bytes:
    if len(data) < 256:
        return bytes((small, len(data))) + data
    return struct.pack(">BI", large, len(data)) + data


def list_of(values: Sequence[bytes]) -> bytes:
    """Encode an AMQP list of encoded values."""
    body = b"".join(values)
    return struct.pack(">BII", 0xD0, len(body) + 4, len(values)) + body


def map_of(pairs: Mapping[bytes, bytes]) -> bytes:
    """Encode an AMQP map of encoded keys and values."""
    body = b"".join(key + value for key, value in pairs.items())
    return struct.pack(">BII", 0xD1, len(body) + 4, 2 * len(pairs)) + body
