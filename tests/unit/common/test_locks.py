import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus.exceptions import ServiceBusConnectionError

from framebrush.errors import DeadlineExceeded, Draining, LockLost
from framebrush.messaging import Lockable, LockKeeper, note_progress, note_waiting


@dataclass
class Message:
    locked_until_utc: datetime | None


@dataclass
class Receiver:
    """Renews locks of ``seconds``, unless it is ``away``."""

    seconds: float = 60.0
    away: bool = False
    renewals: list[float] = field(default_factory=list)

    def lock(self) -> Message:
        return Message(datetime.now(UTC) + timedelta(seconds=self.seconds))

    def renew_message_lock(self, message: Lockable, *, timeout: float | None = None) -> datetime:
        self.renewals.append(time.monotonic())
        if self.away:
            raise ServiceBusConnectionError(message="gone")
        assert isinstance(message, Message)
        message.locked_until_utc = self.lock().locked_until_utc
        assert message.locked_until_utc is not None
        return message.locked_until_utc


@contextmanager
def keeper(timeout: float = 60.0) -> Iterator[LockKeeper]:
    keeper = LockKeeper(timeout, interval=0.01)
    keeper.start()
    try:
        yield keeper
    finally:
        keeper.stop()


def work(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100))


def test_a_handler_past_its_deadline_is_interrupted() -> None:
    receiver, begun = Receiver(), time.monotonic()
    with keeper(timeout=0.1) as leases, pytest.raises(DeadlineExceeded), leases.hold(receiver, receiver.lock()):
        work(10)
    assert 0.1 <= time.monotonic() - begun < 5


def test_a_handler_that_gets_on_has_time() -> None:
    receiver = Receiver()
    with keeper(timeout=0.3) as leases, pytest.raises(DeadlineExceeded), leases.hold(receiver, receiver.lock()):
        for _ in range(8):
            work(0.1)
            note_progress()
        work(10)
    note_progress()  # Nothing is held.
    assert receiver.renewals == []


def test_waiting_for_another_handler_takes_no_time() -> None:
    receiver = Receiver()
    with keeper(timeout=0.2) as leases, pytest.raises(DeadlineExceeded), leases.hold(receiver, receiver.lock()):
        note_waiting()
        work(0.6)
        assert not leases.overdue(0.0)
        note_progress()
        work(10)
    note_waiting()  # Nothing is held.


def test_a_step_that_something_else_bounds_has_more_time() -> None:
    receiver, begun = Receiver(), time.monotonic()
    with keeper(timeout=0.1) as leases, pytest.raises(DeadlineExceeded), leases.hold(receiver, receiver.lock()):
        note_progress(1.0)
        work(10)
    assert 1.1 <= time.monotonic() - begun < 6


def test_a_handler_that_is_quick_enough_is_not() -> None:
    receiver = Receiver()
    with keeper(timeout=5) as leases, leases.hold(receiver, receiver.lock()):
        work(0.05)
    assert receiver.renewals == []


def test_a_lock_is_renewed_at_half_of_its_life() -> None:
    receiver, begun = Receiver(seconds=0.4), time.monotonic()
    with keeper() as leases, leases.hold(receiver, receiver.lock()):
        work(1.1)
    assert 3 <= len(receiver.renewals) <= 5
    assert 0.2 <= receiver.renewals[0] - begun < 0.4


def test_a_renewal_that_fails_is_tried_again() -> None:
    receiver = Receiver(seconds=6.0, away=True)
    with keeper() as leases, leases.hold(receiver, receiver.lock()):
        while not receiver.renewals:
            work(0.05)
        receiver.away, failed = False, len(receiver.renewals)
        while len(receiver.renewals) == failed:
            work(0.05)


def test_a_handler_whose_lock_is_lost_is_interrupted() -> None:
    receiver, begun = Receiver(seconds=0.3, away=True), time.monotonic()
    with keeper() as leases, pytest.raises(LockLost), leases.hold(receiver, receiver.lock()):
        work(10)
    assert 0.3 <= time.monotonic() - begun < 5


def test_an_interrupt_that_got_lost_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python ignores an exception that strikes within a destructor."""
    monkeypatch.setattr("framebrush.messaging.locks.AGAIN", 0.1)
    receiver = Receiver()
    with keeper(timeout=0.1) as locks, pytest.raises(DeadlineExceeded), locks.hold(receiver, receiver.lock()):
        with suppress(DeadlineExceeded):
            work(10)
        work(10)


def test_draining_interrupts_every_handler() -> None:
    ended = list[type[BaseException]]()
    working = threading.Barrier(4)

    def handle(leases: LockKeeper) -> None:
        receiver = Receiver()
        try:
            with leases.hold(receiver, receiver.lock()):
                working.wait()
                work(10)
        except Draining as error:
            ended.append(type(error))

    with keeper() as leases:
        threads = [threading.Thread(target=handle, args=(leases,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        working.wait()
        leases.drain()
        for thread in threads:
            thread.join(5)
    assert ended == [Draining] * 3


def test_a_message_without_a_lock_time_is_renewed_every_half_minute() -> None:
    receiver = Receiver()
    with keeper() as leases, leases.hold(receiver, Message(None)):
        work(0.05)
    assert receiver.renewals == []


def test_a_handler_that_does_not_react_is_noticed() -> None:
    receiver, noticed = Receiver(), list[bool]()
    with keeper(timeout=0.05) as leases:
        with pytest.raises(DeadlineExceeded), leases.hold(receiver, receiver.lock()):
            watch = threading.Timer(1.0, lambda: noticed.append(leases.overdue(margin=0.5)))
            watch.start()
            noticed.append(leases.overdue(margin=0.5))
            time.sleep(1.5)  # one call into C: the interrupt waits until it returns
        assert not leases.overdue(margin=0.5)
    assert noticed == [False, True]


@pytest.fixture
def eager_threads() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_threads")
def test_an_interrupt_comes_within_the_block_or_not_at_all() -> None:
    """Deadlines that fall due just as the handler ends, again and again."""
    interrupted, rounds = 0, 1000
    receiver, message = Receiver(), Message(None)
    leases = LockKeeper(0.001, interval=0.00001)
    leases.start()
    for number in range(rounds):
        try:
            with leases.hold(receiver, message):
                work(0.0007 + 0.0000005 * number)
        except DeadlineExceeded:
            interrupted += 1
        work(0.0001)  # an interrupt that is late would strike here, outside of any net
        # An interrupt on the way into the block's end leaves the block to whoever drops it last. That may be the thread
        # that has raised it, which still has the handler's frames in hand.
        end = time.monotonic() + 5.0
        while leases.overdue(margin=-1000):
            assert time.monotonic() < end, "the lease was forgotten"
            time.sleep(0.0005)
    leases.stop()
    assert 0 < interrupted < rounds


def test_a_handler_that_begins_after_the_drain_is_interrupted_at_once() -> None:
    """A slot may receive a message up to a second after the drain began."""
    receiver = Receiver()
    with keeper() as locks:
        locks.drain()
        with pytest.raises(Draining), locks.hold(receiver, receiver.lock()):
            pytest.fail("the handler began")


def test_a_renewal_without_an_answer_costs_no_other_lock() -> None:
    class Silent(Receiver):
        def renew_message_lock(self, message: Lockable, *, timeout: float | None = None) -> datetime:
            time.sleep(5.0)
            raise ServiceBusConnectionError(message="no answer")

    silent, sound = [Silent(seconds=0.2) for _ in range(4)], Receiver(seconds=1.0)
    begun, go_on = threading.Barrier(5), threading.Event()

    def handle(leases: LockKeeper, receiver: Receiver) -> None:
        with suppress(LockLost), leases.hold(receiver, receiver.lock()):
            begun.wait()
            go_on.wait()

    with keeper() as leases:
        threads = [threading.Thread(target=handle, args=(leases, each), daemon=True) for each in silent]
        for thread in threads:
            thread.start()
        with leases.hold(sound, sound.lock()):
            begun.wait()
            work(2.5)
    go_on.set()
    assert len(sound.renewals) >= 3
