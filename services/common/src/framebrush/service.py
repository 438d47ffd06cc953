"""Runs a service: the part of ``__main__`` that is the same for all."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable
from typing import TypeVar

from framebrush.blobs import AzureBlobs
from framebrush.errors import FramebrushError
from framebrush.health import serve_health
from framebrush.settings import Settings, load
from framebrush.store import Store
from framebrush.telemetry import configure_logging
from framebrush.worker import Consumer, Worker

S = TypeVar("S", bound=Settings)
log = logging.getLogger(__name__)


class Periodic(threading.Thread):
    """Calls a function again and again; a failure is logged and costs one turn."""

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


class StorageProbe:
    """Whether storage answers, asked at most every few seconds."""

    def __init__(self, store: Store, interval: float = 5.0) -> None:
        self._store, self._interval, self._guard = store, interval, threading.Lock()
        self._asked = -interval
        self._answer: str | None = None

    def __call__(self) -> str | None:
        """What is wrong."""
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
    settings: Settings,
    consumers: Iterable[Consumer],
    store: AzureBlobs,
    *,
    background: Iterable[Periodic] = (),
    prepare: Callable[[], None] = lambda: None,
) -> None:
    """Consume until SIGTERM or SIGINT, then drain.

    ``prepare`` runs before the first message, while /livez answers already.

    Raises:
        SystemExit: preparation failed, or a handler did not end in time.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    worker, storage, background = Worker(consumers, settings), StorageProbe(store), list(background)
    server = serve_health(
        settings.http_host, settings.http_port, live=worker.live, ready=lambda: worker.ready() or storage()
    )
    try:
        prepare()
    except FramebrushError as error:
        raise SystemExit(f"cannot start: {error}") from None
    worker.start()
    for periodic in background:
        periodic.start()
    log.info("started", extra={"data": {"port": server.server_address[1]}})
    stop.wait()
    log.info("draining")
    for periodic in background:
        periodic.stop()
    drained = worker.drain()
    server.shutdown()
    log.info("ended" if drained else "ended with a handler still at work")
    if not drained:
        logging.shutdown()
        raise SystemExit(1)


def start(name: str, settings: type[S]) -> tuple[S, AzureBlobs]:
    """Settings, logs and storage of a service."""
    loaded = load(settings)
    configure_logging(name, loaded.log_level)
    return loaded, AzureBlobs(loaded)
