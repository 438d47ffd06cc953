"""Runs a service: the part of ``__main__`` that is the same for all services."""

import faulthandler
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

from framebrush.contracts import FLOW, Incoming, Message
from framebrush.environment import load
from framebrush.errors import FramebrushError, Unavailable
from framebrush.messaging import Consumer, Handler, Worker
from framebrush.service.health import HealthCheck, HealthServer, serve_health
from framebrush.service.runlog import RunLog
from framebrush.service.settings import Settings
from framebrush.service.telemetry import configure_logging
from framebrush.storage import Store
from framebrush.tracing import start_tracing

S = TypeVar("S", bound=Settings)
log = logging.getLogger(__name__)


class PeriodicTask(threading.Thread):
    """A thread that calls a function again and again. A failure is logged, and costs one turn."""

    def __init__(self, name: str, interval: float, function: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._interval, self._function, self._stop_event = interval, function, threading.Event()

    def run(self) -> None:
        """Call until stopped."""
        while not self._stop_event.wait(self._interval):
            try:
                self._function()
            except Exception as error:
                expected = isinstance(error, FramebrushError)
                log.warning("%s: %s: %s", self.name, type(error).__name__, error, exc_info=not expected)

    def stop(self) -> None:
        """End after the current turn."""
        self._stop_event.set()


class LazyHandler:
    """A handler that is made while the worker connects, since its imports take as long as that or longer."""

    def __init__(self) -> None:
        self._made: Handler | None = None

    def load(self, make: Callable[[], Handler]) -> None:
        """Make the handler, before the worker receives its first message.

        Raises:
            Exception: The function ``make`` raised it.
        """
        self._made = make()

    def __call__(self, message: Incoming) -> Iterable[Message]:
        """Handle a message."""
        assert self._made is not None  # noqa: S101 - the worker receives nothing before
        return self._made(message)


class StorageProbe:
    """A health check of storage, which asks storage at most every few seconds."""

    def __init__(self, store: Store, interval: float = 5.0) -> None:
        self._store, self._interval, self._guard = store, interval, threading.Lock()
        self._asked = -interval
        self._answer: str | None = None

    def __call__(self) -> str | None:
        """Return what is wrong with storage, None if it answers."""
        with self._guard:
            if time.monotonic() - self._asked >= self._interval:
                try:
                    self._store.ping()
                    self._answer = None
                except FramebrushError as error:
                    self._answer = str(error)
                self._asked = time.monotonic()
            return self._answer


def run_service(
    name: str,
    settings_class: type[S],
    make: Callable[[S, Store], Handler],
    background: Callable[[S, Store, Handler], Iterable[PeriodicTask]] = lambda *_: (),
) -> None:
    """Consume the service's queues until SIGTERM or SIGINT, then drain, and linger until the last counts are read.

    A process that turns out to be unfit does the same of its own accord, and ends with status 1. It receives no message
    before it has shown that it is fit: its handler is made, which loads what is needed, and storage is open to it.

    Args:
        name: The name of the service in logs and in :data:`~framebrush.contracts.FLOW`.
        settings_class: The settings, which are read from the environment.
        make: A function that makes the handler. It imports what is slow to import, while the worker connects.
        background: A function that returns the tasks to do from time to time.

    Raises:
        SystemExit: A setting is missing, the handler could not be made, the process became unfit, or a handler did not
            end in time.
    """
    signals, loaded = SimpleQueue[int](), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: signals.put(received))
    faulthandler.register(signal.SIGUSR1)  # prints where every thread is
    settings = load(settings_class)
    configure_logging(name, settings.log_level)
    handler = LazyHandler()
    consumers = [
        Consumer(queue, handler, step.slots or settings.concurrency)
        for queue, step in FLOW.items()
        if step.service == name
    ]
    worker, checks = Worker(consumers, settings), list[HealthCheck]()
    checks += [worker.ready, lambda: None if loaded.is_set() else "loading"]

    def ready() -> str | None:
        return next(filter(None, (check() for check in checks)), None)

    server = serve_health(settings.http_host, settings.http_port, live=worker.live, ready=ready)
    worker.connect()
    stop_tracing = start_tracing(name)
    from framebrush.storage import AzureBlobs  # It takes half a second to import; the worker connects meanwhile.

    store = AzureBlobs(settings)
    checks.append(StorageProbe(store))
    try:
        _check_storage(store)
        handler.load(lambda: make(settings, store))
    except FramebrushError as error:
        raise SystemExit(f"cannot start: {error}") from None
    copied = _copy_logs(name, settings, store) if settings.run_logs else None
    loaded.set()
    worker.start()
    threads = list(background(settings, store, handler))
    for thread in threads:
        thread.start()
    log.info("started", extra={"data": {"port": server.server_address[1]}})
    _wait(signals, worker.unfit)
    log.info("draining")
    for thread in threads:
        thread.stop()
    drained = worker.drain()
    stop_tracing()
    if copied is not None:
        logging.getLogger().removeHandler(copied)
        copied.close()
    _linger(server, worker.last_settled, settings.metrics_linger)
    server.shutdown()
    log.info("ended" if drained else "ended with a handler still at work")
    if unfit := worker.unfit():
        logging.shutdown()
        raise SystemExit(f"unfit: {unfit}")
    if not drained:
        logging.shutdown()
        raise SystemExit(1)


def _copy_logs(name: str, settings: Settings, store: Store) -> RunLog:
    """Copy the log lines of runs to storage from now on, as they are on standard output."""
    copied, log = RunLog(name, store, settings.logs_container), logging.getLogger()
    copied.setFormatter(log.handlers[0].formatter)
    log.addHandler(copied)
    return copied


def _check_storage(store: Store) -> None:
    """Check that storage is open to us. If storage is only away, the first message waits for it.

    Raises:
        Unfit: Storage refuses our credentials, or there is no work container.
    """
    try:
        store.ping()
    except Unavailable as error:
        log.warning("%s", error)


def _wait(signals: "SimpleQueue[int]", unfit: HealthCheck) -> None:
    """Wait for a signal, or until this process is unfit.

    Signals come in a queue, whose ``put`` may be interrupted by itself: an Event's ``set`` would wait for its own lock
    if a second signal came within it. The wait is in turns, since a signal that comes just before the thread falls
    asleep does not wake it.
    """
    while not unfit():
        with suppress(Empty):
            signals.get(timeout=1)
            return


def _linger(server: HealthServer, since: float, seconds: float) -> None:
    """Wait until the counts as of ``since`` have been read from /metrics, at most so many seconds."""
    if server.wait_read(since, 0) or not seconds:
        return
    log.info("waiting for the last counts to be read")
    if not server.wait_read(since, seconds):
        log.warning("nobody read the last counts from /metrics within %g s", seconds)
