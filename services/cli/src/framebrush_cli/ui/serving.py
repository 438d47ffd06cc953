"""Serves a page to the browser of this computer, until it is interrupted."""

import secrets
import socket
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from framebrush_cli.display import err, out
from framebrush_cli.errors import CommandFailed

if TYPE_CHECKING:
    from starlette.types import ASGIApp

HOST = "127.0.0.1"
"""The page is for this computer only: it acts with the rights of whoever started it."""

ShowOption = Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")]


@dataclass(frozen=True)
class Place:
    """Where a page will be."""

    listening: socket.socket
    token: str
    """What lets in; it is new each time."""

    @property
    def address(self) -> str:
        """Return the beginning of the addresses of all that is served, ``http://127.0.0.1:PORT``."""
        return f"http://{HOST}:{self.listening.getsockname()[1]}"


@contextmanager
def new_place(port: int = 0) -> Iterator[Place]:
    """Take a port; 0 stands for a free one.

    Raises:
        CommandFailed: The port is taken, or one needs rights for it.
    """
    with closing(socket.socket()) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
            listening.listen()  # from here on a browser may come
        except OSError as error:
            raise CommandFailed(f"port {port} of {HOST}: {error.strerror}; --port 0 picks a free one") from None
        yield Place(listening, secrets.token_urlsafe(24))


def serve(
    app: "ASGIApp", place: Place, path: str, *, told: str, show: bool, ends: Callable[[Callable[[], bool]], None]
) -> None:
    """Serve an application until Ctrl-C.

    Args:
        app: The application.
        place: Where.
        path: The path that is opened in the browser, and printed.
        told: What is printed, with ``{}`` for the address.
        show: Whether it is opened in the browser.
        ends: Is given a function first that tells whether the end has come, for answers that have none by themselves.
    """
    import uvicorn

    config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
    link = place.address + path
    out.print(told.format(link))
    if show and not webbrowser.open(link):
        err.print("No browser was found: open this address in one.")
    server = uvicorn.Server(config)
    ends(lambda: server.should_exit)
    with suppress(KeyboardInterrupt):  # which uvicorn raises anew, or not: it is how a page ends
        server.run(sockets=[place.listening])
