"""A run is planned once, whatever happens while it is."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from support.pipeline import CONNECTIONS, SANDBOX, Pipeline

from framebrush.contracts import (
    SUBMITTED,
    BlobRef,
    Manifest,
    Message,
    Options,
    RunRequest,
    SegmentPlanned,
    State,
    Status,
    Trigger,
    decode,
    derive_run_id,
)
from framebrush.errors import AccessDenied, BlobNotFound, InvalidVideo, LimitExceeded, OutputTaken, RunExists
from framebrush.runs import Runs
from framebrush.sandbox import Sandbox
from framebrush.storage import MemoryStore
from framebrush_splitter.handler import Splitter
from framebrush_splitter.plan import batch_size
from framebrush_splitter.settings import SplitterSettings

INPUT = BlobRef(container="input", name="film.mp4")


class Crash(BaseException):
    """The process ends here."""


class Crashing(MemoryStore):
    """Ends the process before or after a write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_left, self.effect = 10**6, False
        self.opened = 0

    def read(self, ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
        self.opened += ref.container == "input"
        return super().read(ref, start, length, etag=etag)

    def write(
        self,
        ref: BlobRef,
        data: bytes | BinaryIO,
        *,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        if_absent: bool = False,
    ) -> str:
        self.writes_left -= 1
        if self.writes_left < 0 and not self.effect:
            raise Crash
        etag = super().write(ref, data, metadata=metadata, if_match=if_match, if_absent=if_absent)
        if self.writes_left < 0:
            raise Crash
        return etag


@pytest.fixture
def store(video: Callable[..., Path]) -> Crashing:
    path = video("film.mp4", pts=range(0, 12 * 512, 512), gop=3, audio=None)
    store = Crashing()
    store.write(INPUT, path.read_bytes())
    return store


def splitter(store: MemoryStore, **settings: Any) -> Splitter:
    return Splitter(store, SplitterSettings(**{**CONNECTIONS, "segment_frames": 3, **settings}), SANDBOX)


def request(run_id: str | None = "mine", **fields: Any) -> RunRequest:
    return RunRequest.model_validate({"run_id": run_id, "input": INPUT, **fields})


def start(splitter: Splitter, request: RunRequest) -> list[Message]:
    return list(splitter(Trigger(requests=(request,))))


def named(splitter: Splitter, request: RunRequest) -> RunRequest:
    """Return what the splitter sends itself for a request that names no run."""
    (message,) = start(splitter, request)
    assert isinstance(message, RunRequest)
    return message


def other_model(pipeline: Pipeline) -> None:
    pipeline.handlers["triggers"] = splitter(pipeline.store, default_model="ink")


def other_film(pipeline: Pipeline) -> None:
    pipeline.store.write(INPUT, pipeline.store.read(INPUT) + b"more")


def no_film(pipeline: Pipeline) -> None:
    pipeline.store.delete([INPUT])


def submitted_film(pipeline: Pipeline) -> None:
    pipeline.store.write(INPUT, pipeline.store.read(INPUT), metadata={SUBMITTED: "true"})


@pytest.mark.parametrize("effect", [False, True])
def test_a_crash_anywhere_heals_although_settings_changed(store: Crashing, effect: bool) -> None:
    content, crashes = store.read(INPUT), 0
    for writes in range(20):
        store.__init__()  # type: ignore[misc]  # forgets everything
        store.write(INPUT, content)
        store.writes_left, store.effect = writes, effect
        try:
            start(splitter(store), request())
        except Crash:
            crashes += 1
        store.writes_left = 10**6
        messages = start(splitter(store, segment_frames=6, default_model="ink"), request())
        runs = Runs(store, "work")
        assert runs.status("mine").state is State.RUNNING
        segments = range(len(runs.manifest("mine").segments))
        assert messages == [SegmentPlanned(run_id="mine", segment=segment) for segment in segments]
        assert runs.manifest("mine").output == runs.status("mine").output
        if crashes <= writes:
            break
    assert crashes == 6  # the index, the request, the status, the claim, the manifest, the status again


def test_a_crash_while_segments_are_sent_heals_without_the_film(store: Crashing) -> None:
    sending = splitter(store)(Trigger(requests=(request(),)))
    first = next(sending)
    sending.close()
    opened = store.opened
    messages = start(splitter(store, segment_frames=6, max_pixels=1), request())
    assert len(messages) == 4
    assert messages[0] == first
    assert store.opened == opened


def test_another_request_with_a_run_id_that_is_taken_harms_nobody(store: Crashing) -> None:
    messages = start(splitter(store), request())
    other = BlobRef(container="input", name="missing.mp4")
    for fields in (
        {"options": Options(crf=40)},
        {"options": Options(model="ink")},
        {"output": BlobRef(container="output", name="o.mp4")},
        {"input": other},
    ):
        with pytest.raises(RunExists, match="run mine exists"):
            start(splitter(store), request(**fields))
    assert Runs(store, "work").active("mine")
    assert start(splitter(store), request(options=Options(model="identity"))) == messages  # the default's name


def test_a_run_id_is_taken_before_the_run_is_planned(store: Crashing) -> None:
    store.writes_left = 2
    with pytest.raises(Crash):
        start(splitter(store), request())
    store.writes_left = 10**6
    with pytest.raises(RunExists):
        start(splitter(store), request(options=Options(crf=40)))
    assert start(splitter(store), request())
    assert Runs(store, "work").manifest("mine").options.crf is None


def test_a_run_of_a_splitter_that_recorded_no_request_keeps_its_id(store: Crashing) -> None:
    messages = start(splitter(store), request())
    store.delete([Runs(store, "work").blobs("mine").request])
    for fields in ({"options": Options(crf=40)}, {"options": Options(model="ink")}):
        with pytest.raises(RunExists):
            start(splitter(store), request(**fields))
    assert start(splitter(store), request()) == messages


def test_a_run_whose_input_was_overwritten_goes_on_and_its_request_is_told(store: Crashing) -> None:
    messages = start(splitter(store), request())
    store.write(INPUT, b"another film")
    sending, sent = splitter(store)(Trigger(requests=(request(),))), list[Message]()
    with pytest.raises(RunExists):
        for message in sending:
            sent.append(message)
    assert sent == messages
    store.delete([INPUT])
    assert start(splitter(store), request()) == messages


def test_an_input_that_comes_late_is_planned_when_the_request_comes_again(store: Crashing) -> None:
    content = store.read(INPUT)
    store.delete([INPUT])
    with pytest.raises(BlobNotFound):
        start(splitter(store), request())
    store.write(INPUT, content)
    assert len(start(splitter(store), request())) == 4


def test_an_output_that_is_taken_is_refused_before_anything_is_decoded(store: Crashing) -> None:
    output = BlobRef(container="output", name="o.mp4")
    start(splitter(store), request("first", output=output))
    with pytest.raises(OutputTaken, match=r"output/o\.mp4 belongs to the run first"):
        start(splitter(store), request("second", output=output))
    assert Runs(store, "work").status("second").state is State.PLANNING


def test_an_output_in_the_input_container_starts_no_run(store: Crashing) -> None:
    store.write(INPUT, store.read(INPUT), metadata={"framebrush_run": "mine"})
    assert start(splitter(store), request(None, announced=True)) == []
    assert list(Runs(store, "work").ids()) == []


def test_a_run_that_failed_before_its_request_was_read_is_planned_when_that_comes_again(store: Crashing) -> None:
    """The dispatcher then writes the first status, and knows no model if the request names none."""
    runs, now = Runs(store, "work"), datetime.now(UTC)
    runs.create(Status(run_id="mine", state=State.FAILED, created=now, updated=now, input=INPUT, model="default"))
    assert runs.reopen("mine") == []
    assert len(start(splitter(store), request())) == 4
    assert (runs.status("mine").state, runs.status("mine").model) == (State.RUNNING, "identity")


@pytest.mark.parametrize("meanwhile", [other_model, other_film, no_film, submitted_film])
@pytest.mark.parametrize("writes", [3, 5], ids=["status written", "manifest written"])
def test_a_run_that_nobody_named_comes_to_an_end_whatever_changes(
    store: Crashing, writes: int, meanwhile: Callable[[Pipeline], None]
) -> None:
    """The splitter dies while it plans the run; before its message comes again, what the run's id derives from is
    another one."""
    pipeline = Pipeline(store=store, segment_frames=3)
    pipeline.waiting.append(RunRequest(input=INPUT, announced=True))
    store.writes_left = writes
    with suppress(Crash):
        while message := pipeline.waiting[0]:
            pipeline.step()
    pipeline.waiting.appendleft(message)
    store.writes_left = 10**6
    ((begun, state),) = pipeline.runs.ids()
    assert state is State.PLANNING
    meanwhile(pipeline)
    while pipeline.waiting:
        pipeline.step()
    assert [(run_id, state.ended) for run_id, state in pipeline.runs.ids() if state] == [(begun, True)]


def test_a_request_that_names_no_run_is_sent_again_with_its_run_and_its_model(store: Crashing) -> None:
    before = [blob.ref for blob in store.list("work", "")]
    for given in (request(None), request(None, announced=True, options=Options(crf=40, more_models=("identity",)))):
        message = named(splitter(store), given)
        options = given.options.model_copy(update={"model": "identity", "more_models": ()})
        run_id = derive_run_id(INPUT, store.stat(INPUT).etag, options, None)
        assert message == given.model_copy(update={"run_id": run_id, "options": options})
        assert (message.queue, message.message_id) == ("triggers", run_id)
        assert named(splitter(store), given).message_id == run_id, "a second copy is a duplicate for the broker"
        assert decode("triggers", message.encode(), input_container="input") == Trigger(requests=(message,))
    assert [blob.ref for blob in store.list("work", "")] == before, "nothing else is done"


def test_a_film_that_is_overwritten_before_it_is_planned_is_taken_as_it_is(store: Crashing) -> None:
    message = named(splitter(store), request(None))
    store.write(INPUT, store.read(INPUT) + b"more")
    assert len(start(splitter(store), message)) == 4
    assert Runs(store, "work").manifest(str(message.run_id)).source.etag == store.stat(INPUT).etag


def test_a_film_that_is_deleted_before_it_is_planned_fails_its_run(store: Crashing) -> None:
    pipeline = Pipeline(store=store)
    pipeline.submit(INPUT)
    pipeline.step()
    store.delete([INPUT])
    status = pipeline.run()
    assert status.error is not None
    assert (status.state, status.error.reason) == (State.FAILED, "blob_not_found")


def test_a_film_that_comes_with_a_request_of_its_own_starts_nothing_else(store: Crashing) -> None:
    announced = request(None, announced=True)
    message = named(splitter(store), announced)
    store.write(INPUT, store.read(INPUT), metadata={SUBMITTED: "true"})
    assert start(splitter(store), announced) == []
    assert start(splitter(store), message) == []
    assert list(Runs(store, "work").ids()) == []


@pytest.mark.parametrize("container", ["work", "styles", "secrets"])
def test_a_request_reads_and_writes_where_it_may(store: Crashing, container: str) -> None:
    """Nothing of another container is looked at: whether a blob exists is nobody's business either."""
    other = BlobRef(container=container, name="o.mp4")
    store.write(other, store.read(INPUT))
    words = rf"^{container}/o\.mp4: (\w+) are in "
    with pytest.raises(AccessDenied, match=rf"{words}input: see FRAMEBRUSH_MORE_INPUTS$"):
        start(splitter(store), request(input=other))
    with pytest.raises(
        AccessDenied, match=rf"^{container}/o\.mp4: outputs are in output: see FRAMEBRUSH_MORE_OUTPUTS$"
    ):
        start(splitter(store), request(output=other))
    assert list(Runs(store, "work").ids()) == []


def test_further_containers(store: Crashing) -> None:
    films, results = BlobRef(container="films", name="f.mp4"), BlobRef(container="results", name="f.mp4")
    store.write(films, store.read(INPUT))
    open_ = splitter(store, more_inputs="films,other", more_outputs="results,work")
    assert len(start(open_, request(input=films, output=results))) == 4
    with pytest.raises(AccessDenied):
        start(open_, request("yours", input=films, output=BlobRef(container="work", name="status/mine.mp4")))


def test_a_run_has_a_ceiling(store: Crashing) -> None:
    """12 frames of 64x48 in two models."""
    options = {"model": "oil", "more_models": ("ink",)}
    assert len(start(splitter(store, max_run_pixels=73_728), request(options=Options(**options)))) == 4
    words = (
        "12 frames of 64x48 by 2 models have 73728 pixels, more than 73727: "
        "if that is wanted, raise FRAMEBRUSH_MAX_RUN_PIXELS"
    )
    with pytest.raises(LimitExceeded, match=f"^{words}$"):
        start(splitter(store, max_run_pixels=73_727), request("other", options=Options(**options)))


@pytest.mark.parametrize(
    "lie",
    [
        {"run_id": "yours"}, {"output": BlobRef(container="work", name="status/yours.json")}, {"model": "ink"},
        {"output": BlobRef(container="output", name="yours.mp4")},
        {"source": {"blob": BlobRef(container="input", name="yours.mp4"), "etag": "", "size": 1}},
    ],
)  # fmt: skip
def test_a_plan_that_is_not_of_its_request_is_refused(
    store: Crashing, monkeypatch: pytest.MonkeyPatch, lie: dict[str, Any]
) -> None:
    """The plan comes from the process that reads the film, which the film may have taken over."""
    run = Sandbox.run

    def lying(*arguments: Any, **options: Any) -> Iterator[memoryview]:
        (content,) = run(*arguments, **options)
        manifest = Manifest.decode(bytes(content))
        yield memoryview(Manifest.model_validate(manifest.model_dump() | lie).encode())

    monkeypatch.setattr(Sandbox, "run", lying)
    with pytest.raises(InvalidVideo, match="does not make sense"):
        start(splitter(store), request())
    assert not any(blob.ref.name.endswith("manifest.json") for blob in store.list("work"))


def test_a_batch_has_as_many_frames_as_its_work_allows() -> None:
    sizes = {720: (1280, 720), 1080: (1920, 1080), 2160: (3840, 2160), 4320: (7680, 4320), 48: (64, 48)}
    assert {lines: batch_size(*size, None) for lines, size in sizes.items()} == {
        720: 60, 1080: 27, 2160: 6, 4320: 1, 48: 64,
    }  # fmt: skip
    assert batch_size(1280, 720, None, heavy=True) == 17
    assert [batch_size(1280, 720, None, models=models) for models in (1, 2, 3, 4, 8)] == [60, 30, 20, 17, 17]
    assert batch_size(1280, 720, 5, models=8, heavy=True) == 5
