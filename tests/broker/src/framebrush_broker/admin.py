"""The Service Bus admin API over HTTP or HTTPS: what ServiceBusAdministrationClient and KEDA ask.

Requests are served in threads; each is handed to the server's event loop, which owns the queues.
"""

import logging
import socket
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree as ET

from framebrush_broker import atom
from framebrush_broker.errors import BadRequest, BrokerError, NotSupported, QueueNotFound
from framebrush_broker.namespace import Declared

if TYPE_CHECKING:
    from framebrush_broker.server import Server

_log = logging.getLogger(__name__)

MAX_REQUEST_SIZE = 2**20
PAGE = 100


class Admin:
    """A context manager that serves the admin API while it is open."""

    def __init__(
        self, server: "Server", host: str, port: int, *, tls: ssl.SSLContext | None = None, count_locked: bool = True
    ) -> None:
        self.server = server
        self.count_locked = count_locked
        self.scheme = "https" if tls else "http"
        self._http = _HttpServer(self, (host, port))
        if tls:
            # The handshake happens in the thread of the request, where a slow client holds up nobody.
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._http.server_address[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, name="admin", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def describe(self, declared: Declared, base: str) -> ET.Element:
        """Describe one queue as of now; for the event loop."""
        now = self.server.namespace.clock()
        counts, dead = declared.queue.counts(now), declared.queue.dead_letters.counts(now)
        return atom.queue_entry(declared, counts, sum(dead), base, count_locked=self.count_locked)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, admin: Admin, address: tuple[str, int]) -> None:
        self.admin = admin
        super().__init__(address, _Request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Log what BaseServer would print: mostly clients that hang up or do not trust the certificate."""
        _log.info("request of %s failed", client_address, exc_info=True)


class _Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer
    timeout = 60

    def setup(self) -> None:
        """Send small answers at once."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log to the logger instead of stderr."""
        _log.debug(format, *args)

    def do_GET(self) -> None:
        """Get a queue, a page of queues or the namespace."""
        self._answer(self._get)

    def do_PUT(self) -> None:
        """Create a queue, or update it when the request says If-Match."""
        self._answer(self._put)

    def do_DELETE(self) -> None:
        """Delete a queue."""
        self._answer(self._delete)

    def _answer(self, handle: Callable[[str, dict[str, str]], tuple[int, ET.Element | None]]) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        try:
            self._body = self._read_body()
            status, document = handle(unquote(url.path).strip("/"), query)
            body = b"" if document is None else ET.tostring(document)
        except BrokerError as error:
            status, body = error.status, atom.error(error.status, str(error))
        self.send_response(status)
        self.send_header("Content-Type", "application/atom+xml;type=entry;charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > MAX_REQUEST_SIZE:
            self.close_connection = True
            raise BadRequest(f"Content-Length is {length!r}; at most {MAX_REQUEST_SIZE} bytes are taken.")
        return self.rfile.read(int(length))

    @property
    def _base(self) -> str:
        return f"{self.server.admin.scheme}://{self.headers.get('Host', 'localhost')}"

    def _get(self, path: str, query: dict[str, str]) -> tuple[int, ET.Element | None]:
        admin, namespace = self.server.admin, self.server.admin.server.namespace
        if path.lower() == "$resources/queues":
            return 200, self._list(query)
        if path.lower().startswith("$resources/"):
            return 200, atom.feed((), path, f"{self._base}/{path}", namespace.clock(), None)
        if path.lower() == "$namespaceinfo":
            name = self.headers.get("Host", "localhost")
            return 200, atom.namespace_entry(name, self._base, namespace.clock())
        return 200, admin.server.call(lambda: admin.describe(namespace.get(path), self._base))

    def _list(self, query: dict[str, str]) -> ET.Element:
        admin, namespace = self.server.admin, self.server.admin.server.namespace
        try:
            skip, top = int(query.get("$skip", "0")), int(query.get("$top", str(PAGE)))
        except ValueError:
            raise BadRequest("$skip and $top must be whole numbers.") from None
        queues = list(namespace)
        url = f"{self._base}/$Resources/queues"
        following = f"{url}?$skip={skip + top}&$top={top}" if skip + top < len(queues) else None
        page = queues[skip : skip + top]
        entries = admin.server.call(lambda: [admin.describe(declared, self._base) for declared in page])
        return atom.feed(entries, "Queues", url, namespace.clock(), following)

    def _put(self, path: str, query: dict[str, str]) -> tuple[int, ET.Element | None]:
        if "/subscriptions" in path.lower():
            raise NotSupported("This broker has no topics and subscriptions.")
        admin, namespace = self.server.admin, self.server.admin.server.namespace
        options = atom.parse_description(self._body)
        update = "If-Match" in self.headers
        change = namespace.update if update else namespace.create
        entry = admin.server.call(lambda: admin.describe(change(path, options), self._base))
        return (200 if update else 201), entry

    def _delete(self, path: str, query: dict[str, str]) -> tuple[int, ET.Element | None]:
        if not path:
            raise QueueNotFound("Name the queue to delete.")
        self.server.admin.server.call(lambda: self.server.admin.server.delete_queue(path))
        return 200, None
