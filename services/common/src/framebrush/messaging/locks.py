"""Keeps the locks of messages while their handlers work, and interrupts a handler whose time is up.

The SDK's AutoLockRenewer renews once, 10 s before the end, does not try again when that fails, and stops after its
own time limit without a word. Here one thread renews at half of the lock's life, tries again every second, and tells
the handler when the message is no longer ours. Renewals run side by side, so that a renewal that gets no
answer does not cost other messages their locks.
"""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Protocol

from azure.servicebus.exceptions import MessageLockLostError

from framebrush.errors import DeadlineExceeded, Draining, Interrupt, LockLost, first_line
from framebrush.messaging.interrupts import interrupt_thread

log = logging.getLogger(__name__)

RENEWALS = 16
"""The number of renewals at a time. Where there are more messages, some wait for others."""
AGAIN = 10.0
"""The seconds after which a handler that was interrupted and goes on is interrupted again. Python ignores an exception
that is raised within a destructor or a callback of the garbage collector."""


class Lockable(Protocol):
    """A received message, as far as its lock is concerned."""

    @property
    def locked_until_utc(self) -> datetime | None: ...  # noqa: D102


class Renewer(Protocol):
    """A receiver, as far as locks are concerned."""

    def renew_message_lock(self, message: Lockable, *, timeout: float | None = None) -> datetime: ...  # noqa: D102


class MessageLock:
    """The lock of one message, while a handler works on the message."""

    def __init__(self, receiver: Renewer, message: Lockable, timeout: float) -> None:
        self._receiver, self._message, self._timeout = receiver, message, timeout
        self._thread = threading.get_ident()
        self.deadline = time.monotonic() + timeout
        """The moment at which the handler's time is over, in seconds of the monotonic clock."""
        self._guard = threading.Lock()
        self._over = False
        self._reason: type[Interrupt] | None = None
        self._interrupt_at = 0.0
        self._renew_at = time.monotonic() + self._life() / 2

    def note_progress(self, seconds: float) -> None:
        """Note that the handler gets on: its time begins anew, and is so much longer."""
        self.deadline = time.monotonic() + self._timeout + seconds

    def note_waiting(self) -> None:
        """Note that the handler waits for its turn: its time stands still until it gets on."""
        self.deadline = float("inf")

    def _life(self) -> float:
        until = self._message.locked_until_utc
        return (until - datetime.now(UTC)).total_seconds() if until is not None else 60.0

    def check(self, now: float) -> None:
        """Renew the lock if it is time; interrupt the handler if it is too late."""
        with self._guard:  # The receiver's connection belongs to one thread at a time.
            if self._over:
                return
            if self._reason is not None:
                if now >= self._interrupt_at:
                    self._interrupt(self._reason)
            elif now >= self.deadline:
                self._interrupt(DeadlineExceeded)
            elif now >= self._renew_at:
                self._renew()

    def _renew(self) -> None:
        try:
            self._receiver.renew_message_lock(self._message, timeout=5)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again for as long as the lock lives
            if isinstance(error, MessageLockLostError) or self._life() <= 0:
                log.warning("the lock is lost: %s", first_line(error))
                self._interrupt(LockLost)
        else:
            self._renew_at = time.monotonic() + self._life() / 2

    def interrupt(self, kind: type[Interrupt]) -> None:
        """Raise ``kind`` in the handler's thread, unless the handler has ended."""
        with self._guard:
            if not self._over and self._reason is None:
                self._interrupt(kind)

    def _interrupt(self, kind: type[Interrupt]) -> None:
        self._reason, self._interrupt_at = kind, time.monotonic() + AGAIN
        interrupt_thread(self._thread, kind)

    def release(self) -> None:
        """Note that the handler has ended: from here on nothing is renewed or raised."""
        with self._guard:
            self._over = True


_held: ContextVar[MessageLock | None] = ContextVar("held", default=None)


def note_progress(seconds: float = 0.0) -> None:
    """Note that the handler of this thread gets on: the time of its message begins anew.

    It is for work that grows with the length of a film. Outside of a message nothing happens.

    Args:
        seconds: How much longer than others the next step may take, where something else bounds it.
    """
    if (lock := _held.get()) is not None:
        lock.note_progress(seconds)


def note_waiting() -> None:
    """Note that the handler of this thread waits for another one: until :func:`note_progress` no time counts.

    The other one's time counts meanwhile, so that nobody waits for ever. Outside of a message nothing happens.
    """
    if (lock := _held.get()) is not None:
        lock.note_waiting()


class LockKeeper:
    """The message locks of a process, and the thread that looks after them."""

    def __init__(self, timeout: float, *, interval: float = 1.0) -> None:
        self._timeout, self._interval = timeout, interval
        self._locks: set[MessageLock] = set()
        self._guard = threading.Lock()
        self._draining = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="locks", daemon=True)

    def start(self) -> None:
        """Begin to look after locks."""
        self._thread.start()

    def alive(self) -> bool:
        """Return whether the thread that looks after locks is alive."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the thread that looks after locks."""
        self._stop.set()

    @contextmanager
    def hold(self, receiver: Renewer, message: Lockable) -> Iterator[None]:
        """Keep the message's lock within the block, which may end with an Interrupt.

        Raises:
            DeadlineExceeded: The block took longer than the timeout, or than that without :func:`note_progress`.
            LockLost: The lock ran out and could not be renewed.
            Draining: :meth:`drain` was called, before the block or within it.
        """
        lock = MessageLock(receiver, message, self._timeout)
        _held.set(lock)
        try:  # From the moment at which the thread knows the lock, it may interrupt at any line.
            with self._guard:
                self._locks.add(lock)
                draining = self._draining
            if draining:
                raise Draining
            yield
        finally:
            try:
                lock.release()
            finally:  # An interrupt that is on its way is raised in release() at the latest.
                with self._guard:
                    self._locks.discard(lock)
                # Not reset(): an interrupt on the way into this block's end leaves the block to whoever drops it last,
                # perhaps another thread.
                _held.set(None)

    def drain(self) -> None:
        """Interrupt every handler that is still at work, and those that begin from now on."""
        with self._guard:
            self._draining = True
        for lock in self._snapshot():
            lock.interrupt(Draining)

    def overdue(self, margin: float) -> bool:
        """Return whether a handler is still at work ``margin`` seconds after its deadline."""
        now = time.monotonic()
        return any(now > lock.deadline + margin for lock in self._snapshot())

    def _snapshot(self) -> list[MessageLock]:
        with self._guard:
            return list(self._locks)

    def _run(self) -> None:
        checks = dict[MessageLock, Future[None]]()
        with ThreadPoolExecutor(RENEWALS, thread_name_prefix="locks") as pool:
            while not self._stop.wait(self._interval):
                checks = {lock: check for lock, check in checks.items() if not check.done()}
                for lock in self._snapshot():
                    if lock not in checks:
                        checks[lock] = pool.submit(_check, lock)


def _check(lock: MessageLock) -> None:
    try:
        lock.check(time.monotonic())
    except Exception:
        log.exception("cannot look after a lock")
