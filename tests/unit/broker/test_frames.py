import proton
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebrush_broker import codec
from framebrush_broker.frames import MAX_FRAME_SIZE, FrameReader, message_format

TRANSFER = 0x14
HEADER = b"AMQP\x00\x01\x00\x00"


def frame(body: bytes, *, kind: int = 0, extended: bytes = b"") -> bytes:
    size = 8 + len(extended) + len(body)
    return size.to_bytes(4) + bytes(((8 + len(extended)) // 4, kind, 0, 0)) + extended + body


def transfer(*fields: bytes, payload: bytes = b"", descriptor: bytes = b"\x53\x14", **options: object) -> bytes:
    return frame(b"\x00" + descriptor + codec.list_of(fields) + payload, **options)  # type: ignore[arg-type]


FIELDS = [codec.uint(0), codec.uint(7), codec.binary(b"tag")]


@given(st.lists(st.binary(max_size=50).map(frame) | st.just(HEADER), max_size=8), st.data())
def test_frames_come_out_whole_however_the_stream_is_cut(frames: list[bytes], data: st.DataObject) -> None:
    stream, reader, found = b"".join(frames), FrameReader(), list[bytes]()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == frames


@pytest.mark.parametrize("size", [0, 7, MAX_FRAME_SIZE + 1, 0xFFFFFFFF])
def test_what_cannot_be_a_frame_is_handed_on_at_once(size: int) -> None:
    noise = size.to_bytes(4) + b"noise"
    assert list(FrameReader().feed(frame(b"") + noise)) == [frame(b""), noise]


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (transfer(*FIELDS, codec.uint(0x80013700), payload=b"\x00" * 50), 0x80013700),
        (transfer(*FIELDS, codec.uint(0x80013700), extended=b"1234"), 0x80013700),
        (transfer(*FIELDS, codec.uint(5), descriptor=b"\x80" + TRANSFER.to_bytes(8)), 5),
        (transfer(*FIELDS, b"\x43"), 0),
        (transfer(*FIELDS, codec.NULL, b"\x41"), None),
        (transfer(*FIELDS), None),
        (transfer(), None),
        (transfer(*FIELDS, codec.uint(5), kind=1), None),  # a SASL frame
        (transfer(*FIELDS, codec.uint(5), descriptor=b"\x53\x13"), None),  # a flow
        (transfer(*FIELDS, codec.string("5")), None),
        (frame(b""), None),
        (HEADER, None),
        (b"noise", None),
    ],
)
def test_the_format_of_a_transfer_is_read(data: bytes, found: int | None) -> None:
    assert message_format(data) == found


@given(st.binary(max_size=60))
def test_any_bytes_have_a_format_or_none(data: bytes) -> None:
    message_format(data)
    message_format(frame(data))


def test_a_transfer_that_proton_writes_is_read() -> None:
    connection, transport = proton.Connection(), proton.Transport()
    transport.bind(connection)
    connection.open()
    session = connection.session()
    session.open()
    sender = session.sender("s")
    sender.open()
    # A peer would give credit; here the first frames up to the attach are enough to be cut apart.
    stream = transport.peek(transport.pending()) or b""
    frames = list(FrameReader().feed(stream))
    assert b"".join(frames) == stream
    assert frames[0] == HEADER
    assert len(frames) == 4
    assert [message_format(one) for one in frames] == [None] * 4
