import uuid

import proton
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebrush_broker import codec

PRIMITIVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=300),
    st.binary(max_size=300),
    st.uuids(),
    st.integers(0, 2**32 - 1).map(proton.uint),
    st.integers(0, 255).map(proton.ubyte),
    st.integers(0, 2**53).map(proton.timestamp),
    st.text(st.characters(max_codepoint=127), max_size=20).map(proton.symbol),
)
VALUES = st.recursive(
    PRIMITIVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)


def encode(value: object) -> bytes:
    data = proton.Data()
    data.put_object(value)
    return bytes(data.encode())


@given(VALUES)
def test_skip_finds_the_end_of_what_proton_encodes(value: object) -> None:
    raw = encode(value)
    assert codec.skip(raw + b"\x40", 0) == len(raw)


@given(PRIMITIVES)
def test_read_agrees_with_proton(value: object) -> None:
    assert codec.read(encode(value)) == value


@given(st.lists(VALUES, max_size=6))
def test_elements_cut_a_list_into_its_values(values: list[object]) -> None:
    assert [codec.skip(raw, 0) for raw in codec.elements(encode(values))] == [len(encode(v)) for v in values]


@given(st.binary(max_size=60))
def test_any_bytes_are_cut_or_refused(data: bytes) -> None:
    try:
        cut = list(codec.sections(data))
    except codec.MalformedError:
        return
    assert all(codec.skip(raw, 0) == len(raw) for _, raw in cut)


@given(VALUES.map(encode), st.data())
def test_a_truncated_value_is_refused(raw: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(codec.MalformedError):
        codec.skip(raw[:cut], 0)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(codec.MalformedError):
        codec.skip(b"\x00" * 100_000, 0)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (codec.uint(7), 7),
        (codec.long(-7), -7),
        (codec.int32(-7), -7),
        (codec.timestamp(1.5), 1500),
        (codec.string("x" * 300), "x" * 300),
        (codec.symbol("com.microsoft:x"), "com.microsoft:x"),
        (codec.binary(b"\x00\xff"), b"\x00\xff"),
        (b"\x98" + uuid.UUID(int=5).bytes, uuid.UUID(int=5)),
    ],
)
def test_encoders_are_the_inverse_of_read(raw: bytes, value: object) -> None:
    assert codec.read(raw) == value
    assert codec.skip(raw, 0) == len(raw)


def test_maps_and_lists_decode_in_proton() -> None:
    data = proton.Data()
    data.decode(codec.list_of([codec.string("a"), codec.map_of({codec.symbol("k"): codec.long(1)}), codec.NULL]))
    data.rewind()
    data.next()
    assert data.get_object() == ["a", {proton.symbol("k"): 1}, None]
