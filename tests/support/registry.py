"""A registry of OCI artefacts over plain HTTP, in memory: as much of it as a push and a pull need."""

import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Registry:
    """What was pushed. ``manifests`` are by repository and by tag or digest."""

    port: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """What stands before the repository in the name of an artefact."""
        return f"127.0.0.1:{self.port}"


class Handler(BaseHTTPRequestHandler):
    """Answers as the OCI distribution specification says."""

    protocol_version = "HTTP/1.1"
    registry: Registry

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""

    def body(self) -> bytes:
        """The content of the request."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, code: int, content: bytes = b"", **headers: str) -> None:
        """Send an answer; underscores in the names of headers stand for hyphens."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_GET(self) -> None:
        found: tuple[str, bytes] | None = None
        if match := re.fullmatch(r"/v2/.+/blobs/(sha256:\w+)", self.path):
            content = self.registry.blobs.get(match[1])
            found = None if content is None else ("application/octet-stream", content)
        elif match := re.fullmatch(r"/v2/(.+)/manifests/(.+)", self.path):
            found = self.registry.manifests.get((match[1], match[2]))
        if found is None:
            self.answer(404)
        else:
            self.answer(200, found[1], Content_Type=found[0], Docker_Content_Digest=digest_of(found[1]))

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        self.body()
        name = uuid.uuid4().hex
        self.registry.uploads[name] = b""
        self.answer(202, Location=f"{urlsplit(self.path).path.rstrip('/')}/{name}")

    def do_PATCH(self) -> None:
        path = urlsplit(self.path).path
        self.registry.uploads[path.rpartition("/")[2]] += self.body()
        self.answer(202, Location=path)

    def do_PUT(self) -> None:
        address, content = urlsplit(self.path), self.body()
        if match := re.fullmatch(r"/v2/(.+)/manifests/(.+)", address.path):
            digest = digest_of(content)
            for name in (match[2], digest):
                self.registry.manifests[match[1], name] = (self.headers["Content-Type"], content)
        else:
            content = self.registry.uploads.pop(address.path.rpartition("/")[2]) + content
            digest = parse_qs(address.query)["digest"][0]
            if digest != digest_of(content):
                self.answer(400)
                return
            self.registry.blobs[digest] = content
        self.answer(201, Location=address.path, Docker_Content_Digest=digest)


def digest_of(content: bytes) -> str:
    """The digest by which a registry knows a content."""
    return f"sha256:{sha256(content).hexdigest()}"


@contextmanager
def serve() -> Iterator[Registry]:
    """Serve an empty registry until the end of the block."""
    registry = Registry()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"registry": registry}))
    registry.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
