"""Two releases side by side: what one of them writes, the other one reads."""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.pipeline import Pipeline
from support.video import make_video

from framebrush.contracts import (
    BlobRef,
    Document,
    EncodedSegment,
    Manifest,
    Message,
    Options,
    Report,
    RunRequest,
    State,
    Status,
    Timeline,
    decode,
)
from framebrush.errors import BlobNotFound, InvalidMessage

GOLDEN = Path(__file__).with_name("golden")
BEFORE = Path(__file__).with_name("released") / "0.1.json"
"""The fields of every document in release 0.1, which refuses all others."""
NEW = {"PlannedRequest", "OutputClaim", "Timings"}
"""Documents that release 0.1 does not have, and never reads."""
KEYED = {"stages"}
"""Fields whose value is keyed by names that are data."""

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)
new_fields = st.dictionaries(st.from_regex(r"new_[a-z]{1,8}", fullmatch=True), json_values, min_size=1, max_size=2)


def objects(content: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects that are models in a document, with the path of each; items of an array share theirs."""
    if isinstance(content, list):
        for item in content:
            yield from objects(item, path)
    elif isinstance(content, dict):
        if path.rpartition(".")[2] not in KEYED:
            yield path, content
        for name, value in content.items():
            yield from objects(value, f"{path}.{name}" if path.rpartition(".")[2] not in KEYED else f"{path}.*")


def fields(document: Document) -> set[str]:
    """Return the paths of all fields that a document holds when it is written."""
    return {f"{path}.{name}"[1:] for path, model in objects(json.loads(document.encode())) for name in model}


def known(document: Document) -> set[str]:
    """Return the paths of all fields that release 0.1 knows; what it never reads may have any."""
    released: dict[str, list[str]] = json.loads(BEFORE.read_bytes())
    return set(released.get(type(document).__name__, fields(document)))


def read(document: Document, content: object) -> object:
    """Read what was made of a document in the way in which a service reads it."""
    body = json.dumps(content).encode()
    if isinstance(document, Message):
        return decode(document.queue, body, input_container="input")
    return type(document).decode(body)


@given(data=st.data())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # the document is frozen
def test_fields_of_a_later_release_are_ignored(internal: Document, data: st.DataObject) -> None:
    content = json.loads(internal.encode())
    for _, model in data.draw(st.lists(st.sampled_from([*objects(content)]), min_size=1, max_size=4)):
        model.update(data.draw(new_fields))
    assert read(internal, content) == internal


@given(data=st.data())
def test_an_unknown_field_of_a_request_is_refused_and_named(data: st.DataObject) -> None:
    blob = BlobRef(container="input", name="a.mp4")
    request = RunRequest(input=blob, options=Options(), output=BlobRef(container="output", name="b.mp4"))
    content = json.loads(request.encode())
    path, model = data.draw(st.sampled_from([*objects(content)]))
    name = data.draw(st.from_regex(r"new_[a-z]{1,8}", fullmatch=True))
    model[name] = data.draw(json_values)
    with pytest.raises(InvalidMessage) as caught:
        decode("triggers", json.dumps(content).encode(), input_container="input")
    assert f"{path}.{name}"[1:] + ": Extra inputs are not permitted" in str(caught.value)


def test_options_are_strict_in_a_request_and_tolerant_in_a_manifest() -> None:
    options = {"model": "gouache", "colour": "red"}
    request = {"input": {"container": "input", "name": "a.mp4"}, "options": options}
    with pytest.raises(InvalidMessage, match=r"options\.colour: Extra inputs are not permitted"):
        decode("triggers", json.dumps(request).encode(), input_container="input")
    content = json.loads((GOLDEN / "manifest.json").read_bytes()) | {"options": options}
    assert Manifest.decode(json.dumps(content).encode()).options == Options(model="gouache")


def test_a_value_of_a_later_release_is_named_with_those_that_are_known() -> None:
    content = json.loads((GOLDEN / "status.json").read_bytes())
    with pytest.raises(InvalidMessage, match=r"state: Input should be 'planning'.*, got 'paused'"):
        Status.decode(json.dumps(content | {"state": "paused"}).encode())
    with pytest.raises(InvalidMessage, match="version: Input should be 1, got 2"):
        Status.decode(json.dumps(content | {"version": 2}).encode())
    with pytest.raises(InvalidMessage, match="'run_paused'"):
        decode("scored", b'{"version": 1, "kind": "run_paused", "run_id": "a"}', input_container="input")


def test_the_release_before_knows_every_field_of_the_golden_files(contract: tuple[str, Document]) -> None:
    _, document = contract
    if type(document).__name__ in NEW:
        assert type(document).__name__ not in json.loads(BEFORE.read_bytes())
    else:
        assert fields(document) - known(document) == set()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Document]:
    """All documents of a run that asks for nothing but a model."""
    pipeline = Pipeline(segment_frames=12)
    path = make_video(
        tmp_path_factory.mktemp("clip") / "clip.mp4", pts=range(0, 24 * 512, 512), time_base=Fraction(1, 12800)
    )
    pipeline.submit(pipeline.put("clip.mp4", path.read_bytes()), model="identity")
    documents: list[Document] = []
    while pipeline.waiting:
        documents.append(pipeline.step())
        for run_id, _ in pipeline.runs.ids():
            documents.append(pipeline.runs.status(run_id))
            blobs = pipeline.runs.blobs(run_id)
            for segment in range(2):
                try:  # they are gone when the run has ended
                    documents.append(pipeline.runs.timeline(run_id, segment))
                    documents.append(EncodedSegment.decode(pipeline.store.read(blobs.encoded_report(segment, 0))))
                except BlobNotFound:
                    continue
    status = pipeline.status()
    assert status.state is State.SUCCEEDED
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs(status.run_id).report))
    return [*documents, pipeline.manifest(), report]


def test_the_release_before_knows_every_field_of_a_run_that_uses_nothing_new(written: list[Document]) -> None:
    assert {Status, Manifest, Timeline, EncodedSegment, Report} <= {type(document) for document in written}
    for document in written:
        assert fields(document) - known(document) == set()
