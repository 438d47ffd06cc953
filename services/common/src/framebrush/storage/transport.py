"""Counts HTTP requests, and ends responses that would go on for ever.

``read_timeout`` ends a wait for the next byte. A response whose bytes come one at a time never reaches it.
"""

import threading
import time
import weakref
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

from azure.core.pipeline.transport import RequestsTransport
from prometheus_client import Counter

_requests = Counter("framebrush_blob_requests_total", "Requests that Blob storage answered.", ["operation"])
OPERATIONS = {"GET": "read", "HEAD": "properties", "PUT": "write", "DELETE": "delete"}
"""The operations by HTTP method. A page of a listing and a batch of deletions are told by their parameters."""

GRACE = 60.0
"""The seconds that every response may take, whatever its size."""
SPEED = 100_000
"""The speed in bytes per second that a response must have beyond that time."""


class ResponseWatch(threading.Thread):
    """A thread that breaks the connections of responses that have been under way for too long."""

    def __init__(self, interval: float = 1.0) -> None:
        super().__init__(name="responses", daemon=True)
        self._interval, self._guard = interval, threading.Lock()
        self._begun = list[tuple[float, weakref.ref[Any]]]()

    def add(self, response: Any, *_: object, **__: object) -> None:
        """Watch a response whose head has arrived. The library ``requests`` calls this."""
        length = int(response.headers.get("Content-Length", 0))
        with self._guard:
            self._begun.append((time.monotonic() + GRACE + length / SPEED, weakref.ref(response.raw)))

    def run(self) -> None:
        """Look after responses, as long as the process lives."""
        while True:
            time.sleep(self._interval)
            now = time.monotonic()
            with self._guard:
                late = [response for deadline, response in self._begun if now >= deadline]
                self._begun = [each for each in self._begun if now < each[0] and each[1]() is not None]
            for each in late:
                if (response := each()) is not None:
                    with suppress(ValueError, RuntimeError, OSError):  # The response has ended meanwhile.
                        response.shutdown()


def operation(method: str, url: str) -> str:
    """Return what a request does: ``read``, ``properties``, ``write``, ``delete``, ``list`` or ``batch``."""
    kind = parse_qs(urlsplit(url).query).get("comp", [""])[0]
    return kind if kind in ("list", "batch") else OPERATIONS.get(method, "other")


def _count(response: Any, *_: object, **__: object) -> None:
    _requests.labels(operation(response.request.method, response.request.url)).inc()


class WatchedTransport(RequestsTransport):  # type: ignore[misc]  # the SDK loads it when it is asked for
    """The SDK's HTTP transport, whose requests are counted and whose responses are watched."""

    def _init_session(self, session: Any) -> None:
        super()._init_session(session)
        watch = ResponseWatch()
        watch.start()
        session.hooks["response"] += [watch.add, _count]
