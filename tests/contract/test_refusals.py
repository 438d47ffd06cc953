"""What is no message, and what the person who sent it is told."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from framebrush.contracts import MOST_MEMBERS, Document, Message, RunEncoded, Trigger, decode
from framebrush.errors import InvalidMessage

GOLDEN = Path(__file__).with_name("golden")


def fields(message: Document) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(message.encode())
    return content


def refusal(queue: str, content: object) -> str:
    with pytest.raises(InvalidMessage) as caught:
        decode(queue, json.dumps(content).encode(), input_container="input")
    return str(caught.value)


def event(form: str, **changes: object) -> bytes:
    content = json.loads((GOLDEN / f"{form}.json").read_bytes())
    return json.dumps(content | changes).encode()


@pytest.fixture(params=["event_grid_event", "cloud_event"])
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_an_unknown_version_is_named(message: Message, version: object) -> None:
    assert "version: Input should be 1" in refusal(message.queue, fields(message) | {"version": version})


def test_documents_of_another_version_are_refused(contract: tuple[str, Document]) -> None:
    _, document = contract
    with pytest.raises(InvalidMessage, match="version: Input should be 1"):
        type(document).decode(json.dumps(fields(document) | {"version": 7}).encode())


def test_every_required_field_is_named_when_missing(message: Message) -> None:
    required = {name for name, field in type(message).model_fields.items() if field.is_required()}
    for name in required:
        content = fields(message)
        del content[name]
        assert f"{name}: Field required" in refusal(message.queue, content)


def test_every_malformed_field_is_named(message: Message) -> None:
    for name in set(fields(message)) - {"kind"}:
        assert re.search(rf"\b{name}\b.*: ", refusal(message.queue, fields(message) | {name: {"no": "such thing"}}))


def test_numbers_in_text_are_refused(message: Message) -> None:
    if "segment" in type(message).model_fields:
        assert "segment: Input should be a valid integer" in refusal(message.queue, fields(message) | {"segment": "1"})


def test_a_message_in_the_wrong_queue_is_told_its_own() -> None:
    text = refusal("splits", fields(RunEncoded(run_id="a")))
    assert text == "splits: kind: run_encoded belongs to the queue scored"


def test_an_unknown_kind_is_named() -> None:
    assert "'no_such_kind'" in refusal("frames", {"version": 1, "kind": "no_such_kind", "run_id": "a"})


def test_offsets_must_fit_the_frames() -> None:
    content = fields(RunEncoded(run_id="a")) | {"kind": "pack_ready", "segment": 0, "frames": {"first": 0, "count": 2}}
    assert "offsets: expected 3, got 2" in refusal("frames", content | {"offsets": [0, 512]})
    assert "offsets: must increase" in refusal("frames", content | {"offsets": [0, 512, 512]})


def test_an_output_in_an_unknown_format_is_refused_with_the_known_ones() -> None:
    content = {"input": {"container": "input", "name": "a.mp4"}, "output": {"container": "output", "name": "a.avi"}}
    assert "output: the name must end in one of .mp4, .m4v, .mov, .mkv, .webm" in refusal("triggers", content)


@pytest.mark.parametrize("container", ["ab", "Input", "a--b", "-ab", "ab-", "a" * 64, "a-" * 40 + "a", "../x"])
def test_a_container_that_azure_would_refuse_is_refused(container: str) -> None:
    assert "input.container: " in refusal("triggers", {"input": {"container": container, "name": "a.mp4"}})


def test_what_is_not_json_says_so() -> None:
    with pytest.raises(InvalidMessage, match="trigger: not JSON: Expecting value"):
        Trigger.decode(b"make it nice", input_container="input")


def test_what_can_just_be_read_and_not_be_written_is_refused() -> None:
    """Reading takes a little less of the stack than writing."""
    for depth in range(sys.getrecursionlimit() - 400, sys.getrecursionlimit() + 10):
        with pytest.raises(InvalidMessage):
            Trigger.decode(b'{"run_id":' + b"[" * depth + b"]" * depth + b"}", input_container="input")


def members(*items: object) -> tuple[bytes, ...]:
    trigger = Trigger.decode(json.dumps(items).encode(), input_container="input")
    assert trigger.requests == ()
    return tuple(member.encode() for member in trigger.members)


def test_the_members_of_an_array_are_told_apart_and_not_judged() -> None:
    good = {"input": {"container": "input", "name": "é.mp4"}}
    array = members(good, 7, None, "\ud800", {"run_id": 1}, good)
    assert [json.loads(member) for member in array] == [good, 7, None, "\ud800", {"run_id": 1}]
    (request,) = Trigger.decode(array[0], input_container="input").requests
    assert request.input.name == "é.mp4"
    for member in array[1:]:
        with pytest.raises(InvalidMessage):
            Trigger.decode(member, input_container="input")


def test_members_that_differ_in_their_run_have_ids_that_differ() -> None:
    requests = [{"run_id": run, "input": {"container": "input", "name": "a.mp4"}} for run in ("a", "b")]
    trigger = Trigger.decode(json.dumps(requests).encode(), input_container="input")
    assert len({member.message_id for member in trigger.members}) == 2


def test_an_array_within_an_array_is_refused_as_its_member() -> None:
    good = {"input": {"container": "input", "name": "a.mp4"}}
    _, nested = members(good, [good, good])
    with pytest.raises(InvalidMessage, match="expected an object, got list"):
        Trigger.decode(nested, input_container="input")


def test_an_array_has_an_end() -> None:
    assert len(members(*range(MOST_MEMBERS))) == MOST_MEMBERS
    assert "more than 5000" in refusal("triggers", list(range(MOST_MEMBERS + 1)))


def test_an_array_of_none_and_of_one() -> None:
    good = {"input": {"container": "input", "name": "a.mp4"}}
    assert Trigger.decode(b"[]", input_container="input") == Trigger()
    (request,) = Trigger.decode(json.dumps([good]).encode(), input_container="input").requests
    assert request.input.name == "a.mp4"


def test_events_of_other_containers_are_left_out(form: str) -> None:
    assert Trigger.decode(event(form), input_container="elsewhere").requests == ()


def test_other_events_are_refused(form: str) -> None:
    name = "type" if form == "cloud_event" else "eventType"
    body = event(form, **{name: "Microsoft.Storage.BlobDeleted"})
    with pytest.raises(
        InvalidMessage, match=f"event: {name}: expected Microsoft.Storage.BlobCreated, got 'Microsoft.Storage.BlobDel"
    ):
        Trigger.decode(body, input_container="input")


@pytest.mark.parametrize("api", ["CreateFile", "SftpCreate"])
def test_a_file_that_is_announced_before_it_is_written_is_left_out(form: str, api: str) -> None:
    assert Trigger.decode(event(form, data={"api": api}), input_container="input").requests == ()


@pytest.mark.parametrize("subject", [None, 7, "", "/blobServices/default/containers/input", "input/a.mp4"])
def test_an_event_without_a_blob_is_refused(form: str, subject: object) -> None:
    with pytest.raises(InvalidMessage, match="event: subject: expected /blobServices/default/containers/"):
        Trigger.decode(event(form, subject=subject), input_container="input")


def test_an_event_without_data_is_refused(form: str) -> None:
    with pytest.raises(InvalidMessage, match="event: data: expected an object"):
        Trigger.decode(event(form, data=None), input_container="input")


@pytest.mark.parametrize("url", ["http://[", "https://[::1/input/a.mp4", "http://[x]/a.mp4", "//\u2100/a", 7, None])
def test_an_event_with_a_url_that_is_none_is_refused(form: str, url: object) -> None:
    with pytest.raises(InvalidMessage, match=r"event: data\.url: expected a URL, got "):
        Trigger.decode(event(form, data={"api": "PutBlob", "url": url}), input_container="input")


@pytest.mark.parametrize(
    ("escaped", "subject", "name"),
    [
        ("a%20b.mp4", "a b.mp4", "a b.mp4"),
        ("d/%C3%A9t%C3%A9.mp4", "d/été.mp4", "d/été.mp4"),
        ("50%25.mp4", "50%.mp4", "50%.mp4"),
        ("a%2520b.mp4", "a%20b.mp4", "a%20b.mp4"),
        ("%F0%9F%92%8E.mp4", "��.mp4", "💎.mp4"),
    ],
)
def test_the_blob_is_named_by_the_url_which_is_escaped(form: str, escaped: str, subject: str, name: str) -> None:
    subject = f"/blobServices/default/containers/input/blobs/{subject}"
    for host in ("a.blob.core.windows.net", "127.0.0.1:10000/devstoreaccount1"):
        data = {"api": "PutBlob", "url": f"https://{host}/input/{escaped}"}
        (request,) = Trigger.decode(event(form, subject=subject, data=data), input_container="input").requests
        assert request.input.name == name
    (request,) = Trigger.decode(event(form, subject=subject, data={}), input_container="input").requests
    assert request.input.name == subject.rpartition("/blobs/")[2]  # without a URL, the subject as it is


@pytest.mark.parametrize("name", ["../input/film.mp4", "a/../film.mp4", "./film.mp4", "a/./film.mp4", "a/.."])
def test_a_blob_s_name_stays_in_its_container(name: str) -> None:
    """HTTP clients resolve such names: with ``..`` an output would replace a blob of another container."""
    for blob in ("input", "output"):
        content = {"input": {"container": "input", "name": "a.mp4"}, blob: {"container": "output", "name": name}}
        assert f"{blob}.name: no part of the name may be . or .." in refusal("triggers", content)


@pytest.mark.parametrize(
    "name",
    [
        "a//b.mp4", "/a.mp4", "a/", "a./b.mp4", "a.mp4.", ".../b.mp4", "a\\b.mp4", "..\\work\\b.mp4", "a\0.mp4",
        "a\n.mp4", "a\r\nx: y.mp4", "a\x7f.mp4", "a\x85.mp4", "a\u2028.mp4", "a\uffff.mp4",
    ],
)  # fmt: skip
def test_a_name_means_the_same_to_every_layer(name: str) -> None:
    """Proxies merge slashes, Windows and tools of Azure take backslashes for slashes and leave dots at the end out."""
    film = {"container": "input", "name": "a.mp4"}
    for found in (
        {"input": {"container": "input", "name": name}},
        {"input": film, "output": {"container": "output", "name": name}},
        {"input": film, "options": {"style_images": [{"name": name}]}},
    ):
        assert re.search(r"no part of the name may be empty|the name may have no", refusal("triggers", found))


@pytest.mark.parametrize(
    "name", ["a.mp4", "über/Ferien 2026 (1).mp4", ".hidden/a..b.mp4", "%2e%2e/a.mp4", "👨‍👩‍👧.mp4"]
)
def test_other_names_are_taken_as_they_are(name: str) -> None:
    body = json.dumps({"input": {"container": "input", "name": name}}).encode()
    assert decode("triggers", body, input_container="input").requests[0].input.name == name  # type: ignore[union-attr]


BATCH = {
    "kind": "batch_ready", "run_id": "a", "segment": 0, "start": 0, "length": 1,
    "frames": {"first": 8, "count": 4}, "pack": {"first": 8, "count": 8},
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"frames": {"first": 7, "count": 2}}, "frames: must lie within the pack"),
        ({"frames": {"first": 14, "count": 3}}, "frames: must lie within the pack"),
        ({"frames": {"first": 8, "count": 10**9}}, "more than the 64 of a pack"),
        ({"frames": {"first": 2**31 - 1, "count": 1}}, "frames end before number 2147483648"),
        ({"frames": {"first": 8, "count": 65}, "pack": {"first": 0, "count": 10**9}}, "more than the 64 of a pack"),
    ],
)
def test_a_batch_is_a_part_of_a_pack(changes: dict[str, object], text: str) -> None:
    """A scorer makes an entry for every frame of its batch, the missing ones included."""
    assert text in refusal("batches", {**BATCH, **changes})
