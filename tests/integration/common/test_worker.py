"""The worker loop against a real broker."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, nullcontext

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusReceiver
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.servicebus.exceptions import ServiceBusConnectionError
from prometheus_client import REGISTRY
from support.queues import Queues, eventually

from framebrush.contracts import (
    BlobRef,
    FrameRange,
    Incoming,
    ItemFailed,
    Message,
    PackReady,
    RunRequest,
    SegmentPlanned,
    Trigger,
)
from framebrush.errors import DeadlineExceeded, Draining, InvalidVideo, Unavailable, Unfit
from framebrush.messaging import (
    ATTEMPTS,
    COPIES,
    DELIVERIES,
    Consumer,
    LockKeeper,
    MessageLock,
    MessageSender,
    Worker,
    connect,
    current_run,
    number_property,
)
from framebrush.storage import AzureBlobs, StorageSettings
from framebrush_broker.testing import running_broker
from framebrush_cli.local import QUEUES_FILE, free_ports
from framebrush_cli.local.azurite import connection_string

Work = Callable[..., Worker]
PLANNED = SegmentPlanned(run_id="a", segment=7)
LOCK = 3.0
"""Seconds of a lock of the fixture's queues."""
READY = PackReady(run_id="a", segment=7, frames=FrameRange(first=0, count=1), offsets=(0, 1024))


def settled(outcome: str, queue: str = "splits") -> float:
    return REGISTRY.get_sample_value("framebrush_messages_total", {"queue": queue, "outcome": outcome}) or 0.0


def waits(queue: str = "splits") -> tuple[float, float]:
    """How many messages were received, and how long they had waited altogether, in seconds."""
    name = "framebrush_message_wait_seconds"
    count, total = (REGISTRY.get_sample_value(f"{name}_{kind}", {"queue": queue}) for kind in ("count", "sum"))
    return count or 0.0, total or 0.0


class Recorder:
    """A handler that notes what it gets, and then does as the test says: once per call, the last again and again."""

    def __init__(self, *steps: BaseException | None) -> None:
        self.steps, self.seen, self.times = steps or (None,), list[Incoming](), list[float]()

    def __call__(self, message: Incoming) -> Iterator[Message]:
        self.seen.append(message)
        self.times.append(time.monotonic())
        step = self.steps[min(len(self.seen), len(self.steps)) - 1]
        if step is not None:
            raise step
        yield from ()


def test_a_message_is_handled_and_gone(queues: Queues, work: Work) -> None:
    handler, before = Recorder(), settled("completed")
    work(handler)
    queues.send(PLANNED)
    eventually(lambda: settled("completed") == before + 1)
    assert handler.seen == [PLANNED]
    assert queues.peek("splits") == []


def test_the_time_that_a_message_waited_is_measured(queues: Queues, work: Work) -> None:
    before, sent = waits(), time.monotonic()
    queues.send(PLANNED)
    eventually(lambda: time.monotonic() > sent + 1.5)
    handler = Recorder()
    work(handler)
    eventually(lambda: handler.seen)
    count, total = (after - earlier for after, earlier in zip(waits(), before, strict=True))
    assert count == 1
    assert 1.0 < total <= time.monotonic() - sent + 0.1


def test_a_message_that_is_tried_again_waits_anew(queues: Queues, work: Work) -> None:
    before, settled_before = waits(), settled("completed")
    work(Recorder(ValueError("odd"), None))
    queues.send(PLANNED)
    eventually(lambda: settled("completed") == settled_before + 1)
    assert waits()[0] == before[0] + 2


def test_what_follows_is_sent_before_the_message_is_settled(queues: Queues, work: Work) -> None:
    go_on, runs = threading.Event(), list[str | None]()

    def handler(message: Incoming) -> Iterator[Message]:
        runs.append(current_run())
        yield READY
        go_on.wait(20)

    work(handler)
    queues.send(PLANNED)
    eventually(lambda: queues.peek("frames"))
    assert len(queues.peek("splits")) == 1
    go_on.set()
    eventually(lambda: not queues.peek("splits"))
    (sent,) = queues.peek("frames")
    assert (sent.message_id, sent.subject, sent.content_type) == ("a/pack_ready/7/0", "pack_ready", "application/json")
    assert sent.application_properties == {b"framebrush-run": b"a"}
    assert runs == ["a"]


def test_slots_work_side_by_side(queues: Queues, work: Work) -> None:
    together, before = threading.Barrier(3, timeout=10), settled("completed")

    def handler(message: Incoming) -> Iterator[Message]:
        together.wait()
        yield from ()

    work(handler, concurrency=3)
    queues.send(*(SegmentPlanned(run_id="a", segment=number) for number in range(3)))
    eventually(lambda: settled("completed") == before + 3)


def test_a_failure_is_tried_again_later_and_put_aside_in_the_end(queues: Queues, work: Work) -> None:
    handler, retried = Recorder(ValueError("odd")), settled("retried")
    work(handler, max_attempts=3)
    queues.send(PLANNED)
    eventually(lambda: queues.peek("splits", dead=True))
    assert handler.seen == [PLANNED] * 3
    first, second = (later - earlier for earlier, later in zip(handler.times, handler.times[1:], strict=False))
    assert first >= 0.2
    assert second >= 0.4
    (letter,) = queues.peek("splits", dead=True)
    assert letter.dead_letter_reason == "handler_failed"
    assert letter.dead_letter_error_description == "ValueError: odd (attempt 3 of 3)"
    assert letter.message_id == "a/segment_planned/7~2"
    assert (number_property(letter, ATTEMPTS), number_property(letter, COPIES)) == (2, 2)
    assert settled("retried") == retried + 2


def test_a_dead_letter_is_told_to_the_dispatcher(queues: Queues, work: Work) -> None:
    handler = Recorder(InvalidVideo("no frames"))
    work(handler)
    queues.send(PLANNED)
    eventually(lambda: queues.peek("splits", dead=True))
    (letter,), (notice,) = queues.peek("splits", dead=True), queues.peek("frames")
    assert (letter.dead_letter_reason, letter.dead_letter_error_description) == ("invalid_video", "no frames")
    assert ItemFailed.decode(b"".join(notice.body)) == ItemFailed(
        run_id="a",
        source="splits",
        item="a/segment_planned/7",
        reason="invalid_video",
        description="no frames",
        body=PLANNED.encode().decode(),
    )
    assert handler.seen == [PLANNED]


def test_a_notice_that_is_put_aside_makes_no_other(queues: Queues, work: Work) -> None:
    work(Recorder(InvalidVideo("no")), queue="frames")
    queues.send(
        ItemFailed(run_id="a", source="splits", item="a/segment_planned/7", reason="r", description="", body="")
    )
    eventually(lambda: queues.peek("frames", dead=True))
    time.sleep(0.3)
    assert queues.peek("frames") == []
    assert len(queues.peek("frames", dead=True)) == 1


def test_nonsense_is_put_aside_and_others_go_on(queues: Queues, work: Work) -> None:
    handler = Recorder()
    work(handler)
    queues.send_raw(
        "splits",
        ServiceBusMessage(b"\xff\x00nonsense", message_id="1"),
        ServiceBusMessage(b"[" * 50_000, message_id="2"),
        ServiceBusMessage('{"version":2,"kind":"segment_planned","run_id":"b","segment":1}', message_id="3"),
    )
    queues.send(PLANNED)
    eventually(lambda: handler.seen == [PLANNED])
    eventually(lambda: len(queues.peek("splits", dead=True)) == 3)
    letters = queues.peek("splits", dead=True)
    assert {letter.dead_letter_reason for letter in letters} == {"invalid_message"}
    assert "version: Input should be 1" in (letters[2].dead_letter_error_description or "")
    (notice,) = queues.peek("frames")  # of the one that names a run
    assert ItemFailed.decode(b"".join(notice.body)).run_id == "b"


def test_a_trigger_of_any_body_type_is_read(queues: Queues, work: Work) -> None:
    handler = Recorder()
    work(handler, queue="triggers")
    request = RunRequest(input=BlobRef(container="input", name="été.mp4"))
    body = request.encode()
    annotated = [AmqpAnnotatedMessage(value_body=body.decode()), AmqpAnnotatedMessage(data_body=[body[:9], body[9:]])]
    queues.send_raw("triggers", ServiceBusMessage(body.decode()), *annotated)
    eventually(lambda: handler.seen == [Trigger(requests=(request,))] * 3)


def test_an_outage_is_not_held_against_the_message(queues: Queues, work: Work) -> None:
    handler, before = Recorder(*[Unavailable("away")] * 4, None), settled("completed")
    work(handler, max_attempts=2)
    queues.send(PLANNED)
    eventually(lambda: settled("completed") == before + 1)
    assert handler.seen == [PLANNED] * 5


def test_an_outage_after_a_failure_keeps_the_count(queues: Queues, work: Work) -> None:
    handler = Recorder(ValueError("odd"), Unavailable("away"), ValueError("odd"))
    work(handler, max_attempts=2)
    queues.send(PLANNED)
    eventually(lambda: queues.peek("splits", dead=True))
    assert len(handler.seen) == 3


def test_messages_without_an_id_are_retried_each(queues: Queues, work: Work) -> None:
    """Were the ids of their copies equal, duplicate detection would swallow the second."""
    handler, before = Recorder(ValueError("odd"), ValueError("odd"), None), settled("completed")
    work(handler)
    queues.send_raw("splits", *(ServiceBusMessage(PLANNED.encode()) for _ in range(2)))
    eventually(lambda: settled("completed") == before + 2)
    assert len(handler.seen) == 4


def test_of_two_copies_of_one_attempt_one_is_kept(queues: Queues) -> None:
    """A crash after the copy and before the original is settled: the next holder copies again."""
    property_ = {"color": "red", ATTEMPTS: 1, COPIES: 1}
    message = ServiceBusMessage(PLANNED.encode(), message_id="a/x~1", application_properties=property_)
    queues.send_raw("splits", message)
    with (
        connect(queues.settings()) as client,
        client.get_queue_receiver("splits") as receiver,
        MessageSender(client) as out,
    ):
        (received,) = receiver.receive_messages(1, max_wait_time=5)
        out.send_copy("splits", received, delay=0, attempts=2, deliveries=1)
        out.send_copy("splits", received, delay=0, attempts=2, deliveries=1)
        receiver.complete_message(received)
        (copy,) = receiver.receive_messages(10, max_wait_time=1)
        assert copy.message_id == "a/x~2"
        assert copy.application_properties == {
            b"color": b"red",
            ATTEMPTS.encode(): 2,
            DELIVERIES.encode(): 1,
            COPIES.encode(): 2,
        }
        assert b"".join(copy.body) == PLANNED.encode()


def test_a_handler_past_its_deadline_is_interrupted_and_tried_again(queues: Queues, work: Work) -> None:
    ended, before = list[type[BaseException] | None](), settled("completed")

    def handler(message: Incoming) -> Iterator[Message]:
        try:
            while not ended:
                time.sleep(0.01)
        except BaseException as error:
            ended.append(type(error))
            raise
        ended.append(None)
        yield from ()

    work(handler, message_timeout=0.5)
    queues.send(PLANNED)
    eventually(lambda: settled("completed") == before + 1)
    assert ended == [DeadlineExceeded, None]


def test_a_deadline_missed_every_time_is_the_reason(queues: Queues, work: Work) -> None:
    def handler(message: Incoming) -> Iterator[Message]:
        while True:
            time.sleep(0.01)
        yield PLANNED

    work(handler, message_timeout=0.1, max_attempts=1)
    queues.send(PLANNED)
    eventually(lambda: queues.peek("splits", dead=True))
    assert queues.peek("splits", dead=True)[0].dead_letter_reason == "deadline_exceeded"


def hold_the_interpreter(seconds: float) -> None:
    """Work in C that lets no other thread run, in steps of some hundredths of a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(1_000_000))


def test_locks_are_kept_while_handlers_work(queues: Queues, work: Work) -> None:
    handled, before, lost = Counter[int](), settled("completed"), settled("lock_lost")

    def handler(message: Incoming) -> Iterator[Message]:
        assert isinstance(message, SegmentPlanned)
        handled[message.segment] += 1
        (time.sleep if message.segment == 0 else hold_the_interpreter)(5.0)  # longer than a lock
        yield from ()

    work(handler, concurrency=3)
    queues.send(SegmentPlanned(run_id="a", segment=0), SegmentPlanned(run_id="a", segment=1))
    eventually(lambda: settled("completed") == before + 2)
    assert handled == {0: 1, 1: 1}
    assert settled("lock_lost") == lost
    assert queues.peek("splits") == []


def test_draining_finishes_the_message_in_hand(queues: Queues, work: Work) -> None:
    begun, before = threading.Event(), settled("completed")

    def handler(message: Incoming) -> Iterator[Message]:
        begun.set()
        time.sleep(1.0)
        yield READY

    worker = work(handler, drain_grace=10)
    queues.send(PLANNED, SegmentPlanned(run_id="a", segment=8))
    begun.wait(10)
    assert worker.drain()
    assert settled("completed") == before + 1
    assert len(queues.peek("frames")) == 1
    assert len(queues.peek("splits")) == 1


def test_draining_hands_back_what_takes_too_long(queues: Queues, work: Work) -> None:
    begun, interrupts = threading.Event(), list[type[BaseException]]()

    def handler(message: Incoming) -> Iterator[Message]:
        begun.set()
        try:
            while True:
                time.sleep(0.01)
        except BaseException as error:
            interrupts.append(type(error))
            raise
        yield READY

    worker, before = work(handler, drain_grace=0.2), settled("handed_back")
    queues.send(PLANNED)
    begun.wait(10)
    assert worker.drain()
    assert interrupts == [Draining]
    assert settled("handed_back") == before + 1
    assert [message.message_id for message in queues.peek("splits")] == ["a/segment_planned/7~1"]
    handler_of_another_process = Recorder()
    work(handler_of_another_process)
    eventually(lambda: handler_of_another_process.seen == [PLANNED])


def test_nothing_is_received_before_the_handler_is_there(queues: Queues) -> None:
    handler, waited = Recorder(), threading.Event()
    worker = Worker([Consumer("splits", handler)], queues.settings())
    worker.connect()
    queues.send(PLANNED)
    eventually(lambda: worker.ready() is None)
    waited.wait(2.5)
    with queues.receiver("splits") as receiver:  # nobody holds it
        (message,) = receiver.receive_messages(1, max_wait_time=5)
        receiver.abandon_message(message)
    queues.close()
    assert handler.seen == []
    worker.start()
    eventually(lambda: handler.seen == [PLANNED])
    assert worker.drain()


def test_drains_are_no_attempts(queues: Queues, work: Work) -> None:
    begun = threading.Event()

    def stuck(message: Incoming) -> Iterator[Message]:
        begun.set()
        while True:
            time.sleep(0.01)
        yield READY

    queues.send(PLANNED)
    for _ in range(3):
        begun.clear()
        worker = work(stuck, drain_grace=0.1)
        assert begun.wait(10)
        assert worker.drain()
    handler = Recorder(ValueError("odd"), None)
    work(handler, max_attempts=2, max_deliveries=2)
    eventually(lambda: handler.seen == [PLANNED] * 2)
    assert queues.peek("splits", dead=True) == []


def test_an_unfit_process_hands_back_and_receives_no_more(queues: Queues, work: Work) -> None:
    handler, before = Recorder(Unfit("the key is refused")), settled("handed_back")
    queues.send(PLANNED, SegmentPlanned(run_id="a", segment=8))
    worker = work(handler)
    eventually(lambda: settled("handed_back") == before + 1)
    assert worker.unfit() == "the key is refused"
    assert worker.ready() == "unfit: the key is refused"
    assert worker.live() is None
    assert worker.drain()
    assert len(handler.seen) == 1
    sound = Recorder()
    work(sound, max_attempts=1, max_deliveries=1)
    eventually(lambda: len(sound.seen) == 2)
    assert queues.peek("splits", dead=True) == []


class Lost(Unfit):
    """Perhaps because of the message."""

    suspect = True


def test_a_message_that_makes_every_process_unfit_is_put_aside(queues: Queues, work: Work) -> None:
    queues.send(PLANNED)
    for _ in range(2):
        before = settled("handed_back")
        worker = work(Recorder(Lost("GPU lost")), max_deliveries=2)
        eventually(lambda before=before: settled("handed_back") == before + 1)  # type: ignore[misc]
        assert worker.drain()
    handler = Recorder()
    work(handler, max_deliveries=2)
    eventually(lambda: queues.peek("splits", dead=True))
    (letter,), (notice,) = queues.peek("splits", dead=True), queues.peek("frames")
    assert letter.dead_letter_reason == "too_many_deliveries"
    assert ItemFailed.decode(b"".join(notice.body)).reason == "too_many_deliveries"
    assert handler.seen == []


def test_a_message_that_kills_every_process_is_put_aside_with_a_notice(queues: Queues, work: Work) -> None:
    """The broker would do so, too, but later and without one."""
    queues.send(PLANNED)
    with queues.receiver("splits") as receiver:
        for _ in range(3):
            (message,) = receiver.receive_messages(1, max_wait_time=5)
            receiver.abandon_message(message)  # counts like a lock that runs out
    queues.close()
    work(Recorder(), max_deliveries=3)
    eventually(lambda: queues.peek("splits", dead=True))
    assert queues.peek("splits", dead=True)[0].dead_letter_reason == "too_many_deliveries"
    assert len(queues.peek("frames")) == 1


def test_a_message_that_is_too_large_is_never_tried_again(cleanup: ExitStack) -> None:
    process = cleanup.enter_context(running_broker(arguments=["--max-message-size=1", f"--queues={QUEUES_FILE}"]))
    queues = cleanup.enter_context(closing(Queues(process)))
    large = ItemFailed(run_id="a", source="splits", item="x", reason="r", description="d" * 2000, body="")

    def handler(message: Incoming) -> Iterator[Message]:
        yield large

    worker = Worker([Consumer("splits", handler)], queues.settings(drain_grace=0.1))
    worker.start()
    queues.send(PLANNED)
    eventually(lambda: queues.peek("splits", dead=True))
    (letter,) = queues.peek("splits", dead=True)
    assert letter.dead_letter_reason == "message_too_large"
    assert f"item_failed of {len(large.encode())} bytes" in (letter.dead_letter_error_description or "")
    assert "1024" in (letter.dead_letter_error_description or "")
    assert worker.drain()


def test_ids_that_agree_for_long_are_retried_each(queues: Queues, work: Work) -> None:
    """Were they cut, duplicate detection would swallow the second one's copy."""
    handler, before = Recorder(ValueError("odd"), ValueError("odd"), None), settled("completed")
    stem = "film " * 24
    queues.send_raw("splits", *(ServiceBusMessage(PLANNED.encode(), message_id=stem + end) for end in ("a", "b")))
    work(handler)
    eventually(lambda: settled("completed") == before + 2)
    assert len(handler.seen) == 4


def outcomes(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.data["outcome"] for record in caplog.records if hasattr(record, "data")]


def test_the_log_tells_what_was_settled(
    queues: Queues, work: Work, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(LockKeeper, "hold", lambda *_: nullcontext())
    caplog.set_level("INFO")
    slow, seen = threading.Event(), list[Incoming]()

    def handler(message: Incoming) -> Iterator[Message]:
        seen.append(message)
        slow.wait(0.0 if seen[1:] else LOCK + 1)
        yield from ()

    before = settled("completed"), settled("lock_lost")
    work(handler)
    queues.send(PLANNED)
    eventually(lambda: settled("completed") == before[0] + 1)
    assert settled("lock_lost") == before[1] + 1
    # The line comes right behind the count.
    eventually(lambda: outcomes(caplog) == ["lock_lost", "completed"])


def test_the_log_tells_what_could_not_be_settled(
    queues: Queues, work: Work, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    complete, failed = ServiceBusReceiver.complete_message, list[bool]()

    def break_once(receiver: ServiceBusReceiver, message: ServiceBusReceivedMessage) -> None:
        if not failed:
            failed.append(True)
            raise ServiceBusConnectionError(message="gone")
        complete(receiver, message)

    monkeypatch.setattr(ServiceBusReceiver, "complete_message", break_once)
    handler, before = Recorder(), settled("unsettled")
    work(handler)
    queues.send(PLANNED)
    eventually(lambda: handler.seen == [PLANNED] * 2 and not queues.peek("splits"))
    assert settled("unsettled") == before + 1
    assert outcomes(caplog)[0] == "unsettled"


def test_an_interrupt_behind_the_last_line_of_work_changes_nothing(
    queues: Queues, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = MessageLock.release

    def struck(lock: MessageLock) -> None:
        release(lock)
        raise Draining

    monkeypatch.setattr(MessageLock, "release", struck)
    handler, before = Recorder(), settled("completed")
    work(handler)
    queues.send(PLANNED)
    eventually(lambda: settled("completed") == before + 1)
    assert handler.seen == [PLANNED]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_without_the_thread_that_renews_locks_it_is_unfit(
    queues: Queues, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(pool: ThreadPoolExecutor, *arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit)
    go_on = threading.Event()

    def handler(message: Incoming) -> Iterator[Message]:
        go_on.wait(20)
        yield from ()

    worker = work(handler)
    queues.send(PLANNED)
    eventually(lambda: worker.live() is not None)
    assert worker.live() == worker.unfit() == "the thread that renews locks died"
    assert worker.ready() == "unfit: the thread that renews locks died"
    go_on.set()


def test_it_tells_the_truth_about_itself(queues: Queues) -> None:
    worker = Worker([Consumer("splits", Recorder()), Consumer("triggers", Recorder())], queues.settings())
    assert worker.ready() == "not connected to splits, triggers"
    assert worker.live() is None, "not to be restarted while it loads its model"
    worker.start()
    eventually(lambda: worker.ready() is None)
    assert worker.drain()
    assert worker.ready() == "draining"
    assert worker.live() is None


def test_a_queue_that_does_not_exist_makes_it_unfit() -> None:
    with running_broker(["triggers"]) as process:
        worker = Worker([Consumer("splits", Recorder())], Queues(process).settings())
        worker.start()
        assert worker.ready() == "not connected to splits", "it may be a mistake once"
        eventually(worker.unfit)
        assert "splits" in str(worker.unfit())
        assert worker.ready() == f"unfit: {worker.unfit()}"
        assert worker.live() is None
        assert worker.drain()


def test_a_broker_that_dies_and_comes_back_costs_nothing(queues: Queues, work: Work) -> None:
    handled = Counter[int]()

    def handler(message: Incoming) -> Iterator[Message]:
        assert isinstance(message, SegmentPlanned)
        time.sleep(0.05)
        yield PackReady(run_id="a", segment=message.segment, frames=FrameRange(first=0, count=1), offsets=(0, 1024))
        handled[message.segment] += 1

    queues.send(*(SegmentPlanned(run_id="a", segment=number) for number in range(30)))
    worker = work(handler, concurrency=2)
    eventually(lambda: len(handled) >= 8)
    queues.close()
    queues.process.kill()
    eventually(lambda: worker.ready() == "not connected to splits")
    assert worker.live() is None
    queues.process.restart()
    eventually(lambda: len(handled) == 30 and not queues.peek("splits"))
    eventually(lambda: worker.ready() is None)  # One slot may have done it all before the other is connected again.
    assert queues.peek("splits", dead=True) == []
    assert {message.message_id for message in queues.peek("frames")} == {f"a/pack_ready/{n}/0" for n in range(30)}


def test_a_message_comes_back_when_storage_does(queues: Queues, work: Work, azurite: str) -> None:
    ref = BlobRef(container="outage", name="a.bin")
    [closed] = free_ports(1)
    stores = [
        AzureBlobs(StorageSettings.model_validate({"storage_connection_string": secret}))
        for secret in (connection_string(closed), azurite)
    ]
    stores[1].create_containers(["outage"])
    stores[1].write(ref, b"content")
    read = list[bytes]()

    def handler(message: Incoming) -> Iterator[Message]:
        store = stores[0] if len(stores) == 2 else stores[-1]
        try:
            read.append(store.read(ref))
        finally:
            stores[:] = stores[-1:]
        yield from ()

    work(handler, max_attempts=1)
    queues.send(PLANNED)
    eventually(lambda: read == [b"content"])
    assert queues.peek("splits", dead=True) == []
