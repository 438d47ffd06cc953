"""A web site, with TLS or without."""

import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def padded(film: bytes, size: int) -> bytes:
    """Return a film in MP4 with more bytes, which mean nothing."""
    return film + (size + 8).to_bytes(4) + b"free" + bytes(size)


class Site(BaseHTTPRequestHandler):
    """A web site whose pages are what is asked for."""

    film = b""
    asked: list[str] = []  # noqa: RUF012 - of all requests

    def do_GET(self) -> None:
        self.asked.append(self.path)
        name = self.path.partition("?")[0].strip("/")
        if name.startswith("to/"):
            self.answer(302, b"", Location=name.removeprefix("to/").replace("_", "/").replace("//", "://", 1))
        elif name == "loop":
            self.answer(302, b"", Location="/loop")
        elif name == "page.mp4":
            self.answer(200, b"<!DOCTYPE html><title>film</title>", **{"Content-Type": "text/html; charset=utf-8"})
        elif name == "page-in-disguise.mp4":
            self.answer(200, b"\n<html>", **{"Content-Type": "video/mp4"})
        elif name == "large.mp4":
            self.answer(200, b"", **{"Content-Length": str(10**12)})
        elif name == "endless.mp4":
            self.answer(200, b"")
            for _ in range(200):
                self.wfile.write(bytes(100_000))
        elif name == "slow.mp4":
            self.answer(200, b"")
            for _ in range(600):
                self.wfile.write(b"x")
                time.sleep(0.1)
        elif name in ("steady.mp4", "steady-untold.mp4"):
            content = padded(self.film, 4_000_000)
            self.answer(200, b"", **{} if "untold" in name else {"Content-Length": str(len(content))})
            for start in range(0, len(content), 200_000):
                self.wfile.write(content[start : start + 200_000])
                time.sleep(0.2)
        elif name == "cut.mp4":
            self.answer(200, self.film[:100], **{"Content-Length": str(len(self.film))})
        elif name == "empty.mp4":
            self.answer(200, b"")
        elif name == "film.mp4":
            self.answer(200, self.film, **{"Content-Length": str(len(self.film)), "Content-Type": "video/mp4"})
        else:
            self.answer(404, b"nothing")

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients go away in the middle, which is the point of some tests."""


def serving(context: ssl.SSLContext | None) -> Iterator[str]:
    server = Server(("127.0.0.1", 0), Site)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with running(server):
        yield f"{'https' if context else 'http'}://localhost:{server.server_port}"


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    """Let a server answer within the block."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
