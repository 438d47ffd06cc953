"""The dispatcher's watch over messages that the broker itself gave up."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage
from prometheus_client import REGISTRY
from support.queues import Queues

from framebrush.contracts import (
    QUEUES,
    BatchScored,
    BlobRef,
    Failure,
    FrameRange,
    ItemFailed,
    Message,
    SegmentPlanned,
    State,
    Status,
)
from framebrush.errors import BlobNotFound, Unavailable
from framebrush.runs import Runs
from framebrush.storage import MemoryStore
from framebrush_broker.testing import running_broker
from framebrush_dispatcher import deadletters
from framebrush_dispatcher.deadletters import DeadLetterWatch
from framebrush_dispatcher.handler import Dispatcher

# The SDK leaves the sockets of broken connections to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

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
    assert [message.subject for message in queues.peek("scored")] == ["batch_scored"]


def test_the_letters_that_lie_there_are_counted(queues: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when a person has taken some away; beyond a limit new ones are handled all the same."""
    handled = list[str]()

    def handle(failed: ItemFailed) -> Iterator[Message]:
        handled.append(failed.run_id)
        yield from ()

    def letters(queue: str) -> float | None:
        return REGISTRY.get_sample_value("framebrush_dead_letters", {"queue": queue})

    def lose_one_of(run_id: str) -> None:
        queues.send(SegmentPlanned(run_id=run_id, segment=0))
        lose(queues, "splits")

    monkeypatch.setattr(deadletters, "PAGE", 2)
    monkeypatch.setattr(deadletters, "COUNTED", 4)
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
    watch()
    assert letters("splits") == 2
    for run_id in "defg":
        lose_one_of(run_id)
    watch()
    watch()
    assert letters("splits") == 4
    assert handled == list("abcdefg")


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
    watch()
    watch()
    assert calls == ["a", "a", "b"]


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
