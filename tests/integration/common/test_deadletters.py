"""The dispatcher's watch over messages that the broker itself gave up."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage
from prometheus_client import REGISTRY
from support.pipeline import CONNECTIONS, SANDBOX
from support.queues import Queues, eventually

from framebrush.contracts import (
    QUEUES,
    BatchScored,
    BlobRef,
    Failure,
    FrameRange,
    ItemFailed,
    Message,
    RunRequest,
    SegmentPlanned,
    State,
    Status,
    Trigger,
)
from framebrush.errors import BlobNotFound, Unavailable
from framebrush.messaging import RUN, DeadLetterMessage, peek_page
from framebrush.runs import Runs
from framebrush.storage import MemoryStore
from framebrush_broker.testing import running_broker
from framebrush_dispatcher import deadletters
from framebrush_dispatcher.deadletters import DeadLetterWatch
from framebrush_dispatcher.handler import Dispatcher
from framebrush_splitter.handler import Splitter
from framebrush_splitter.settings import SplitterSettings

PLANNED = SegmentPlanned(run_id="a", segment=7)


@pytest.fixture
def queues(tmp_path: Path, cleanup: ExitStack) -> Queues:
    """A broker that gives a message up after its first failed delivery."""
    options, file = {"max_delivery_count": 1}, tmp_path / "queues.json"
    file.write_text(json.dumps({"queues": dict.fromkeys(QUEUES, options)}))
    process = cleanup.enter_context(running_broker(arguments=[f"--queues={file}"], data=tmp_path / "broker.db"))
    return cleanup.enter_context(closing(Queues(process)))


def lose(queues: Queues, queue: str) -> None:
    """Take a message and give it back, as a process that dies does."""
    receiver = queues.receiver(queue)
    (received,) = receiver.receive_messages(1, max_wait_time=5)
    receiver.abandon_message(received)


def turn(watch: DeadLetterWatch) -> bool:
    """Let the watch look around once."""
    watch()
    return True


def reopened_run() -> tuple[MemoryStore, Runs]:
    """Storage with the run ``a``, which failed once and was reopened."""
    now, source, store = datetime.now(UTC), BlobRef(container="input", name="a.mp4"), MemoryStore()
    runs = Runs(store, "work")
    status = Status(run_id="a", state=State.RUNNING, created=now, updated=now, input=source, model="identity")
    runs.create(status.model_copy(update={"generation": 1}))
    return store, runs


def test_every_dead_letter_is_handled_once_and_stays(queues: Queues) -> None:
    failures = list[ItemFailed]()

    def handle(failed: ItemFailed) -> Iterator[Message]:
        failures.append(failed)
        yield BatchScored(run_id="a", segment=7, frames=FrameRange(first=0, count=1))

    watch = DeadLetterWatch(queues.settings(), handle)
    watch()
    queues.send(PLANNED)
    lose(queues, "splits")
    watch()
    (failed,) = failures
    assert (failed.run_id, failed.source, failed.item) == ("a", "splits", PLANNED.message_id)
    assert failed.reason == "MaxDeliveryCountExceeded"
    assert failed.body == PLANNED.encode().decode()
    watch()
    assert len(failures) == 1
    assert len(queues.peek("splits", dead=True)) == 1
    assert [message.subject for message in queues.peek("events")] == ["batch_scored"]


def test_another_watch_goes_on_where_the_first_one_stopped(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a sweep, which has seen two of four."""
    monkeypatch.setattr(deadletters, "STEP", 2)
    seen = {"first": list[str](), "second": list[str]()}

    def watch(name: str) -> DeadLetterWatch:
        def handle(failed: ItemFailed) -> Iterator[Message]:
            seen[name].append(failed.run_id)
            yield from ()

        return DeadLetterWatch(queues.settings(), handle)

    first, second = watch("first"), watch("second")
    for run_id in "abc":
        queues.send(SegmentPlanned(run_id=run_id, segment=0))
        lose(queues, "splits")
    first()
    second.places = first.places
    queues.send(SegmentPlanned(run_id="d", segment=0))
    lose(queues, "splits")
    second()
    assert seen == {"first": ["a", "b", "c"], "second": ["c", "d"]}
    assert REGISTRY.get_sample_value("framebrush_dead_letters", {"queue": "splits"}) == 4
    eventually(lambda: turn(second) and sorted(seen["second"]) == ["a", "b", "c", "d"])


def test_the_letters_that_lie_there_are_counted(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when a person has taken some away."""
    handled = list[str]()

    def handle(failed: ItemFailed) -> Iterator[Message]:
        handled.append(failed.run_id)
        yield from ()

    def letters(queue: str) -> float | None:
        return REGISTRY.get_sample_value("framebrush_dead_letters", {"queue": queue})

    def lose_one_of(run_id: str) -> None:
        queues.send(SegmentPlanned(run_id=run_id, segment=0))
        lose(queues, "splits")

    monkeypatch.setattr(deadletters, "STEP", 2)
    monkeypatch.setattr(deadletters, "RATE", 1000)
    watch = DeadLetterWatch(queues.settings(), handle)
    watch()
    assert letters("splits") == 0
    for run_id in "abc":
        lose_one_of(run_id)
    watch()
    assert (letters("splits"), letters("frames")) == (3, 0)
    taken = queues.receiver("splits", dead=True)
    (letter,) = taken.receive_messages(1, max_wait_time=5)
    taken.complete_message(letter)
    eventually(lambda: turn(watch) and letters("splits") == 2)
    for run_id in "defg":
        lose_one_of(run_id)
    watch()
    assert letters("splits") == 6
    assert handled == list("abcdefg")


def test_many_letters_are_swept_step_by_step(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn looks at a few of those that are known, and the next one comes the later the more these were."""
    handled, peeked, now = list[str](), list[int](), [1000.0]

    def handle(failed: ItemFailed) -> Iterator[Message]:
        handled.append(failed.run_id)
        yield from ()

    def counted(*arguments: Any) -> list[DeadLetterMessage]:
        page = peek_page(*arguments)
        peeked.extend(letter.sequence for letter in page)
        return page

    def after(seconds: float) -> list[int]:
        now[0] += seconds
        peeked.clear()
        watch()
        return peeked

    monkeypatch.setattr(deadletters, "peek_page", counted)
    monkeypatch.setattr(deadletters, "STEP", 2)
    monkeypatch.setattr(deadletters, "RATE", 1.0)
    monkeypatch.setattr("framebrush_dispatcher.deadletters.time.monotonic", lambda: now[0])
    watch = DeadLetterWatch(queues.settings(), handle)
    for run_id in "abcde":
        queues.send(SegmentPlanned(run_id=run_id, segment=0))
        lose(queues, "splits")
    assert after(0) == [1, 2, 3, 4, 5], "the first turn sees all"
    assert after(1.9) == []
    assert after(0.1) == [3, 4]
    assert after(2) == [5]
    assert after(1) == [1, 2], "the second sweep"
    assert handled == list("abcde")


def test_a_message_that_was_sent_early_and_dies_late_is_seen(queues: Queues) -> None:
    """A dead letter keeps the sequence number of its message, which may be lower than those that were seen before."""
    handled = list[str]()

    def handle(failed: ItemFailed) -> Iterator[Message]:
        handled.append(failed.run_id)
        yield from ()

    queues.send(*(SegmentPlanned(run_id=run_id, segment=0) for run_id in ("early", "late")))
    receiver = queues.receiver("splits")
    early, late = (receiver.receive_messages(1, max_wait_time=5)[0] for _ in range(2))
    watch = DeadLetterWatch(queues.settings(), handle)
    receiver.abandon_message(late)
    watch()
    assert handled == ["late"]
    receiver.abandon_message(early)
    eventually(lambda: turn(watch) and "early" in handled)
    assert handled == ["late", "early"]


def test_a_letter_that_cannot_be_read_costs_itself_only(queues: Queues, caplog: pytest.LogCaptureFixture) -> None:
    """The URL of this event is none; and the run that it names has no status that could be read."""
    event = {
        "run_id": "odd",
        "specversion": "1.0",
        "type": "Microsoft.Storage.BlobCreated",
        "subject": "/blobServices/default/containers/input/blobs/a.mp4",
        "data": {"url": "http://["},
    }
    store, runs = reopened_run()
    store.write(runs.blobs("odd").status, b"{}")
    queues.send_raw("triggers", ServiceBusMessage(json.dumps(event), message_id="1"))
    lose(queues, "triggers")
    queues.send_raw("triggers", ServiceBusMessage(b'{"run_id": "a", "input": {}}', application_properties={RUN: "a"}))
    lose(queues, "triggers")
    queues.send(SegmentPlanned(run_id="a", segment=7, generation=1))
    lose(queues, "splits")
    watch = DeadLetterWatch(queues.settings(), Dispatcher(store, queues.settings()))
    watch()
    watch()
    assert runs.status("a").state is State.FAILED
    assert caplog.text.count("dead letter 1 of triggers") == 1, "said once"


def test_letters_of_strangers_are_read_as_far_as_they_go(queues: Queues) -> None:
    """They belong to no run, have no message id, and can be listed all the same."""
    strange = [
        AmqpAnnotatedMessage(value_body=None),
        AmqpAnnotatedMessage(value_body={"run_id": "a"}),
        AmqpAnnotatedMessage(sequence_body=[1, "run_id"]),
        AmqpAnnotatedMessage(data_body=b"[" * 100_000),
        AmqpAnnotatedMessage(data_body=b'{"run_id": 7, "round": "none"}'),
        AmqpAnnotatedMessage(data_body=b"", application_properties={RUN: "../a", "framebrush-generation": "many"}),
        AmqpAnnotatedMessage(data_body=b"{}", application_properties={"DeadLetterReason": 7}),
    ]
    queues.send_raw("splits", *strange)
    queues.send(PLANNED)
    for _ in [*strange, PLANNED]:
        lose(queues, "splits")
    handled = list[str]()

    def handle(failed: ItemFailed) -> Iterator[Message]:
        handled.append(failed.run_id)
        yield from ()

    DeadLetterWatch(queues.settings(), handle)()
    assert handled == ["a"]
    *letters, _ = peek_page(queues.receiver("splits", dead=True), "splits", 1)
    told = [(letter.message_id, letter.run_id, letter.generation, letter.reason) for letter in letters]
    assert told == [("", None, 0, "MaxDeliveryCountExceeded")] * len(strange)


def test_letters_of_an_earlier_generation_do_not_end_a_reopened_run(queues: Queues) -> None:
    """Nor after the dispatcher has begun anew, and remembers no letter."""
    store, runs = reopened_run()
    queues.send(PLANNED)
    lose(queues, "splits")
    for _ in range(2):
        DeadLetterWatch(queues.settings(), Dispatcher(store, queues.settings()))()
        assert runs.status("a").state is State.RUNNING
    queues.send(PLANNED.model_copy(update={"generation": 1}))
    lose(queues, "splits")
    DeadLetterWatch(queues.settings(), Dispatcher(store, queues.settings()))()
    assert runs.status("a").state is State.FAILED


def test_letters_of_no_run_or_of_one_that_is_gone_do_not_stop_the_watch(queues: Queues) -> None:
    handled = list[str]()

    def handle(failed: ItemFailed) -> Iterator[Message]:
        handled.append(failed.run_id)
        if failed.run_id == "gone":
            raise BlobNotFound("work/runs/gone/status.json: no such blob")
        yield from ()

    queues.send_raw("splits", ServiceBusMessage(b"\xffnonsense", message_id="1"))
    lose(queues, "splits")
    for run_id in ("gone", "b"):
        queues.send(SegmentPlanned(run_id=run_id, segment=0))
        lose(queues, "splits")
    DeadLetterWatch(queues.settings(), handle)()
    assert handled == ["gone", "b"]


def test_what_could_not_be_handled_is_looked_at_again(queues: Queues) -> None:
    """Neither a broker that dies nor storage that is away costs a letter, or handles one twice."""
    calls = list[str]()

    def handle(failed: ItemFailed) -> Iterator[Message]:
        calls.append(failed.run_id)
        if len(calls) == 1:
            raise Unavailable("storage: away")
        yield from ()

    watch = DeadLetterWatch(queues.settings(), handle)
    watch()
    queues.send(PLANNED)
    lose(queues, "splits")
    queues.close()
    queues.process.kill()
    with pytest.raises(Unavailable, match="service bus: "):
        watch()
    queues.process.restart()
    with pytest.raises(Unavailable, match="storage: away"):
        watch()
    queues.send(SegmentPlanned(run_id="b", segment=0))
    lose(queues, "splits")
    end = time.monotonic() + 60
    while len(calls) < 3 and time.monotonic() < end:
        watch()
    watch()
    assert sorted(calls) == ["a", "a", "b"]


def test_the_run_of_a_lost_message_fails_with_the_brokers_reason(queues: Queues) -> None:
    now, source, store = datetime.now(UTC), BlobRef(container="input", name="a.mp4"), MemoryStore()
    runs = Runs(store, "work")
    runs.create(Status(run_id="a", state=State.RUNNING, created=now, updated=now, input=source, model="identity"))
    queues.send(PLANNED)
    lose(queues, "splits")
    DeadLetterWatch(queues.settings(), Dispatcher(store, queues.settings()))()
    status = runs.status("a")
    assert status.state is State.FAILED
    assert isinstance(status.error, Failure)
    assert status.error.reason == "MaxDeliveryCountExceeded"


def test_a_run_that_nobody_named_fails_when_its_request_is_lost(queues: Queues) -> None:
    """The splitter has sent itself the request with the run's id, by which the dead letter tells its run."""
    store, source = MemoryStore(), BlobRef(container="input", name="a.mp4")
    store.write(source, b"a film")
    splitter = Splitter(store, SplitterSettings(**CONNECTIONS), SANDBOX)
    queues.send(*splitter(Trigger(requests=(RunRequest(input=source),))))
    lose(queues, "triggers")
    DeadLetterWatch(queues.settings(), Dispatcher(store, queues.settings()))()
    runs = Runs(store, "work")
    ((run_id, state),) = runs.ids()
    status = runs.status(run_id)
    assert (state, status.input, status.model) == (State.FAILED, source, "identity")
    assert status.error is not None
    assert status.error.reason == "MaxDeliveryCountExceeded"
