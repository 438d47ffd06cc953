"""What holds for every message, not only for the golden ones."""

import contextlib
import json
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from framebrush.contracts import (
    QUEUES,
    RUN_ID_PATTERN,
    BatchReady,
    BatchScored,
    BlobRef,
    FrameRange,
    ItemFailed,
    LearningTurn,
    LearnRequest,
    Message,
    Options,
    PackReady,
    RunEncoded,
    RunRequest,
    SegmentEncoded,
    SegmentPlanned,
    SegmentScored,
    Trigger,
    decode,
    derive_run_id,
    find_run_id,
)
from framebrush.errors import InvalidMessage

run_ids = st.from_regex(RUN_ID_PATTERN, fullmatch=True).filter(lambda text: not text.endswith("\n"))
indices = st.integers(0, 2**31 - 1)
counts = st.integers(1, 2**31 - 1)
firsts = st.integers(0, 2**31 - 66)
pack_ranges = st.builds(FrameRange, first=firsts, count=st.integers(1, 64))
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=128)
blob_names = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters="\\\ufffe\uffff"),
    min_size=1,
    max_size=1024,
).filter(lambda name: not any(part == "" or part.endswith(".") for part in name.split("/")))
blobs = st.builds(BlobRef, container=st.from_regex(r"[a-z0-9]{3,63}", fullmatch=True), name=blob_names)
names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
options = st.builds(
    Options,
    model=st.none() | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True),
    strength=st.floats(0, 1),
    keep_colors=st.booleans(),
    scale=st.floats(0.25, 4),
    strokes=st.none() | st.booleans(),
    smoothing=st.floats(0, 1),
    pack_codec=st.sampled_from(["jpeg", "png"]),
    jpeg_quality=st.integers(1, 100),
    codec=st.sampled_from(["h264", "h265", "av1", "vp9"]),
    crf=st.none() | st.integers(0, 51),
    preset=st.sampled_from(["ultrafast", "medium", "veryslow"]),
    pixel_format=st.sampled_from(["auto", "yuv420p"]),
    fast_start=st.booleans(),
    fall_back=st.booleans(),
    streams=st.sampled_from(["fit", "strict"]),
    convert_audio=st.booleans(),
    batch_frames=st.none() | st.integers(1, 64),
    bad_frames=st.sampled_from(["fail", "keep_original", "hold_previous"]),
)


@st.composite
def packs(draw: st.DrawFn) -> PackReady:
    offsets = sorted(draw(st.sets(indices, min_size=2, max_size=65)))
    frames = FrameRange(first=draw(firsts), count=len(offsets) - 1)
    return PackReady(run_id=draw(run_ids), segment=draw(indices), frames=frames, offsets=tuple(offsets))


@st.composite
def batch_messages(draw: st.DrawFn) -> BatchReady:
    pack = draw(pack_ranges)
    first = draw(st.integers(0, pack.count - 1))
    frames = FrameRange(first=pack.first + first, count=draw(st.integers(1, pack.count - first)))
    return BatchReady(
        run_id=draw(run_ids), segment=draw(indices), frames=frames, pack=pack, start=draw(indices), length=draw(counts)
    )


segment_messages = st.one_of(
    [st.builds(kind, run_id=run_ids, segment=indices) for kind in (SegmentPlanned, SegmentScored, SegmentEncoded)]
)
item_failures = st.builds(
    ItemFailed,
    run_id=run_ids,
    source=st.sampled_from(QUEUES[:-1]),
    item=text,
    reason=text,
    description=text,
    body=text,
)
outputs = st.none() | blobs.map(lambda ref: ref.model_copy(update={"name": ref.name[:1000] + ".mkv"}))
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(RunRequest, run_id=st.none() | run_ids, input=blobs, options=options, output=outputs),
    segment_messages,
    packs(),
    item_failures,
    batch_messages(),
    st.builds(BatchScored, run_id=run_ids, segment=indices, frames=pack_ranges),
    st.builds(RunEncoded, run_id=run_ids),
    st.builds(
        LearnRequest,
        name=names,
        picture=blob_names,
        content=st.lists(blobs, min_size=1, max_size=3).map(tuple),
        title=st.none(),
        steps=st.integers(10, 10**6),
        stability=st.floats(0, 100),
        seed=indices,
    ),
    st.builds(LearningTurn, job=st.from_regex(r"[0-9a-f]{16}", fullmatch=True), turn=indices),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def decode_or_refuse(queue: str, body: bytes) -> None:
    with contextlib.suppress(InvalidMessage):
        decode(queue, body, input_container="input")


@given(messages)
def test_every_message_survives_the_wire(message: Message) -> None:
    expected = Trigger(requests=(message,)) if isinstance(message, RunRequest) else message
    assert decode(message.queue, message.encode(), input_container="input") == expected


@given(messages)
def test_a_message_id_is_one_that_service_bus_takes(message: Message) -> None:
    assert 1 <= len(message.message_id) <= 128


@given(messages)
def test_the_run_is_found_in_every_message(message: Message) -> None:
    assert find_run_id(message.encode()) == message.run_id


@given(run_ids, st.sets(indices, min_size=2, max_size=2))
@example("a" * 63, {0, 1})
def test_failures_of_different_items_have_different_ids(run_id: str, segments: set[int]) -> None:
    batches = [
        BatchReady(
            run_id=run_id,
            segment=segment,
            frames=FrameRange(first=0, count=1),
            pack=FrameRange(first=0, count=1),
            start=0,
            length=1,
        )
        for segment in segments
    ]
    ids = {
        ItemFailed(
            run_id=run_id, source="batches", item=batch.message_id, reason="r", description="", body=""
        ).message_id
        for batch in batches
    }
    assert len(ids) == 2


@given(st.sampled_from(QUEUES), st.binary(max_size=200))
def test_any_bytes_are_a_message_or_invalid(queue: str, body: bytes) -> None:
    decode_or_refuse(queue, body)
    find_run_id(body)


@given(st.sampled_from(QUEUES), json_values)
def test_any_json_is_a_message_or_invalid(queue: str, value: object) -> None:
    decode_or_refuse(queue, json.dumps(value).encode())


@given(
    st.sampled_from(["eventType", "type", "subject", "data", "api", "url"]),
    st.sampled_from(["event_grid_event", "cloud_event"]),
    json_values,
)
def test_an_event_with_any_value_in_a_field_is_a_request_or_invalid(field: str, form: str, value: object) -> None:
    event: dict[str, Any] = {"specversion": "1.0"} if form == "cloud_event" else {}
    event |= {"type" if event else "eventType": "Microsoft.Storage.BlobCreated"}
    event |= {"subject": "/blobServices/default/containers/input/blobs/a.mp4", "data": {"api": "PutBlob"}}
    (event["data"] if field in ("api", "url") else event)[field] = value
    decode_or_refuse("triggers", json.dumps(event).encode())


@pytest.mark.parametrize("queue", QUEUES)
def test_nesting_without_end_is_invalid(queue: str) -> None:
    body = b"[" * 100_000
    assert find_run_id(body) is None
    with pytest.raises(InvalidMessage):
        decode(queue, body, input_container="input")


@given(blob_names, text, options, outputs)
def test_a_derived_run_id_is_a_run_id_and_stable(
    name: str, etag: str, options: Options, output: BlobRef | None
) -> None:
    source = BlobRef(container="input", name=name)
    run_id = derive_run_id(source, etag, options, output)
    assert re.fullmatch(RUN_ID_PATTERN, run_id)
    assert derive_run_id(source, etag, options.model_copy(), output) == run_id


def test_a_derived_run_id_tells_requests_apart() -> None:
    source, other = BlobRef(container="input", name="a.mp4"), BlobRef(container="input", name="b/a.mp4")
    ids = [
        derive_run_id(source, "0x1", Options(), None),
        derive_run_id(source, "0x2", Options(), None),
        derive_run_id(source, "0x1", Options(crf=21), None),
        derive_run_id(source, "0x1", Options(), other),
        derive_run_id(other, "0x1", Options(), None),
    ]
    assert len(set(ids)) == len(ids)


def test_quotes_of_an_etag_do_not_matter() -> None:
    source = BlobRef(container="input", name="a.mp4")
    assert derive_run_id(source, '"0x1"', Options(), None) == derive_run_id(source, "0x1", Options(), None)


def test_the_derivation_of_run_ids_is_pinned() -> None:
    source = BlobRef(container="input", name="trips/Old Harbour (1).mp4")
    assert derive_run_id(source, "0x8D", Options(model="gouache"), None) == "old-harbour-1-f2e09f719eb1"


def test_an_option_added_later_changes_the_id_only_where_it_is_used() -> None:
    source = BlobRef(container="input", name="a.mp4")
    plain, default, used = (
        derive_run_id(source, "0x8D", Options(**given), None) for given in ({}, {"smoothing": 0.0}, {"smoothing": 0.5})
    )
    assert plain == default != used
