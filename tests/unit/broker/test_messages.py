import contextlib
import uuid
from typing import Any

import proton
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebrush_broker import codec
from framebrush_broker.errors import BadRequest
from framebrush_broker.messages import Message, unbatch

SCALARS = st.one_of(st.booleans(), st.integers(-(2**31), 2**31), st.text(max_size=300), st.binary(max_size=300))


def encoded(**fields: Any) -> bytes:
    return bytes(proton.Message(inferred=True, **fields).encode())


def batch(*messages: bytes) -> bytes:
    return b"".join(codec.section(codec.DATA, codec.binary(message)) for message in messages)


@given(
    body=st.binary(max_size=2000),
    properties=st.dictionaries(st.text(min_size=1, max_size=300), SCALARS, max_size=5),
    annotations=st.dictionaries(
        st.text(st.characters(max_codepoint=127), min_size=1, max_size=20), SCALARS, max_size=3
    ),
    message_id=st.text(min_size=1, max_size=128),
    ttl=st.integers(0, 2**31),
    durable=st.booleans(),
)
def test_a_message_comes_out_as_it_went_in(
    body: bytes,
    properties: dict[str, object],
    annotations: dict[str, object],
    message_id: str,
    ttl: int,
    durable: bool,
) -> None:
    payload = encoded(
        body=body,
        properties=properties,
        annotations={proton.symbol(k): v for k, v in annotations.items()},
        id=message_id,
        subject="subject",
        ttl=ttl / 1000,
        durable=durable,
    )
    message = Message.decode(payload)
    assert message.message_id == message_id

    extra = {"x-opt-sequence-number": codec.long(7)}
    out = proton.Message()
    out.decode(message.encode(delivery_count=3, annotations=extra))
    assert (out.body, out.properties or {}, out.id, out.subject) == (body, properties, message_id, "subject")
    assert out.annotations == {**annotations, "x-opt-sequence-number": 7}
    assert (out.delivery_count, out.durable) == (3, durable)
    assert out.ttl == pytest.approx(ttl / 1000, abs=0.002)
    assert Message.decode(message.encode()) == message


def test_properties_and_body_keep_their_bytes() -> None:
    # A smallulong, a symbol and an int8: types that a decode to Python and back would change.
    pairs = {codec.string("a"): b"\x53\x07", codec.symbol("b"): codec.symbol("c"), b"\xa1\x01d": b"\x54\x01"}
    body = codec.section(codec.VALUE, codec.list_of([b"\x55\x01", b"\x43"]))
    sent = codec.section(codec.APPLICATION_PROPERTIES, codec.map_of(pairs)) + body
    assert Message.decode(sent).encode().endswith(sent)


def test_annotations_of_a_former_broker_are_dropped() -> None:
    payload = encoded(body=b"x", annotations={proton.symbol("x-opt-sequence-number"): 9, proton.symbol("kept"): 1})
    assert set(Message.decode(payload).annotations) == {"kept"}


def test_delivery_annotations_are_kept_but_the_lock_token() -> None:
    annotations = {proton.symbol("x-opt-lock-token"): uuid.UUID(int=1), proton.symbol("kept"): 1}
    message = Message.decode(encoded(body=b"x", instructions=annotations))
    assert set(message.delivery_annotations) == {"kept"}
    out = proton.Message()
    out.decode(message.encode(delivery_annotations={"x-opt-lock-token": b"\x98" + uuid.UUID(int=2).bytes}))
    assert out.instructions == {"kept": 1, "x-opt-lock-token": uuid.UUID(int=2)}


def test_with_properties_adds_and_replaces() -> None:
    message = Message.decode(encoded(body=b"x", properties={"a": "old", "b": 1}))
    out = proton.Message()
    out.decode(message.with_properties({"a": codec.string("new"), "c": codec.long(2)}).encode())
    assert out.properties == {"a": "new", "b": 1, "c": 2}


def test_scheduled_time_is_read() -> None:
    annotations = {proton.symbol("x-opt-scheduled-enqueue-time"): proton.timestamp(12_500)}
    assert Message.decode(encoded(body=b"x", annotations=annotations)).scheduled_for == 12.5


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_a_batch_is_cut_into_its_messages(bodies: list[bytes]) -> None:
    messages = [encoded(body=body, id=str(i)) for i, body in enumerate(bodies)]
    assert unbatch(batch(*messages)) == messages


def test_a_batch_may_hold_members_of_any_kind() -> None:
    value = codec.section(codec.VALUE, codec.NULL)
    properties = codec.section(codec.PROPERTIES, codec.list_of([codec.string("id")]))
    members = [b"", properties, properties + value, value, encoded(body=b"x" * 300)]
    assert unbatch(codec.section(codec.HEADER, codec.list_of([])) + batch(*members)) == members


@pytest.mark.parametrize(
    "payload",
    [
        codec.section(codec.VALUE, codec.binary(b"x")),
        codec.section(codec.DATA, codec.string("x")),
        batch(b"x") + codec.section(codec.FOOTER, codec.map_of({})),
        b"nonsense",
    ],
)
def test_what_is_no_batch_is_refused(payload: bytes) -> None:
    with pytest.raises(BadRequest, match="batch is not valid"):
        unbatch(payload)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_batch_or_refused(data: bytes) -> None:
    with contextlib.suppress(BadRequest):
        unbatch(data)


@given(st.binary(min_size=1, max_size=80))
def test_nonsense_is_refused_and_nothing_else_raised(data: bytes) -> None:
    with contextlib.suppress(BadRequest):
        Message.decode(data)


def test_delivery_annotations_may_come_last() -> None:
    annotations = codec.section(codec.DELIVERY_ANNOTATIONS, codec.map_of({codec.symbol("k"): codec.long(1)}))
    body = codec.section(codec.DATA, codec.binary(b"x"))
    for payload in (annotations + body, body + annotations):
        message = Message.decode(payload)
        assert (message.body, set(message.delivery_annotations)) == (body, {"k"})
    with pytest.raises(BadRequest, match="out of place"):
        Message.decode(annotations + body + annotations)


def test_sections_out_of_order_are_refused() -> None:
    body = codec.section(codec.DATA, codec.binary(b"x"))
    with pytest.raises(BadRequest, match="out of place"):
        Message.decode(body + codec.section(codec.APPLICATION_PROPERTIES, codec.map_of({})))
