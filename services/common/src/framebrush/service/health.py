"""Serves ``/metrics`` for Prometheus, and ``/livez`` and ``/readyz`` for Kubernetes."""

import logging
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

log = logging.getLogger(__name__)

HealthCheck = Callable[[], str | None]
"""A function that returns None when all is well, and else what is wrong, in a few words."""


class HealthServer(ThreadingHTTPServer):
    """An HTTP server that remembers when it was last asked for metrics."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._asked, self._read = float("-inf"), threading.Condition()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class's
        """Log what went wrong with a request as one line; a reader that hung up before its answer is no fault."""
        if isinstance(sys.exception(), OSError):
            log.debug("%s hung up", client_address)
        else:
            log.exception("a request from %s failed", client_address)

    def note_read(self, asked: float) -> None:
        """Note that metrics were read that had been asked for at this moment of the monotonic clock."""
        with self._read:
            self._asked = max(self._asked, asked)
            self._read.notify_all()

    def wait_read(self, since: float, timeout: float) -> bool:
        """Wait until metrics as of ``since`` or later, on the monotonic clock, have been read.

        Returns:
            Whether they were, within ``timeout`` seconds.
        """
        with self._read:
            return self._read.wait_for(lambda: self._asked >= since, timeout)


def serve_health(host: str, port: int, *, live: HealthCheck, ready: HealthCheck) -> HealthServer:
    """Serve the three paths from a thread of their own.

    Returns:
        The server, whose ``server_address`` tells the port.

    Raises:
        OSError: The address is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        server: HealthServer

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/metrics":
                    asked = time.monotonic()
                    self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
                    self.server.note_read(asked)
                case "/livez":
                    self._probe(live)
                case "/readyz":
                    self._probe(ready)
                case _:
                    self._answer(404, b"/metrics, /livez or /readyz\n")

        def _probe(self, check: HealthCheck) -> None:
            problem = check()
            self._answer(503 if problem else 200, f"{problem or 'ok'}\n".encode())

        def _answer(self, code: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
            self.send_response(code)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """Log nothing, since probes come every few seconds."""

    server = HealthServer((host, port), Handler)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
