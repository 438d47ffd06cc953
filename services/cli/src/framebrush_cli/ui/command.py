"""``framebrush ui``: the page, until it is interrupted."""

import secrets
import socket
import tempfile
import webbrowser
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from framebrush_cli.display import err, out
from framebrush_cli.errors import CommandFailed, NotInstalled
from framebrush_cli.installation import Connection, connected

HOST = "127.0.0.1"
"""The page is for this computer only: it acts with the rights of whoever started it."""

NEEDED = ("starlette", "uvicorn", "framebrush_scorer", "framebrush_splitter", "framebrush_stitcher")
"""The packages of the extra ``ui``."""


@connected
def ui(
    connection: Connection,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1; 0 picks a free one.")] = 8477,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
) -> None:
    """Open a page to drop a film and a painting on, to watch runs, and to see their reports.

    It uses the installation that the other commands would use, and runs until Ctrl-C; runs that it started go on.
    """
    if not all(map(find_spec, NEEDED)):
        raise NotInstalled("the page needs more packages", "cli[ui]")
    connection.store.ping()  # An installation that cannot be reached is told here, and not on the page.
    import uvicorn

    from framebrush_cli.ui.desk import Desk
    from framebrush_cli.ui.server import new_app

    with closing(_listen(port)) as listening, tempfile.TemporaryDirectory(prefix="framebrush-ui-") as folder:
        token, address = secrets.token_urlsafe(24), f"http://{HOST}:{listening.getsockname()[1]}"
        with closing(Desk(connection, Path(folder))) as desk:
            app = new_app(desk, address, token)
            config = uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1)
            link = f"{address}/?token={token}"
            out.print(f"The page: [bold]{link}[/]  (Ctrl-C ends it; runs go on)")
            if show and not webbrowser.open(link):
                err.print("No browser was found: open this address in one.")
            server = uvicorn.Server(config)
            desk.board.ends = lambda: server.should_exit
            server.run(sockets=[listening])


def _listen(port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        CommandFailed: The port is taken.
    """
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as error:
        listening.close()
        raise CommandFailed(f"port {port} of {HOST}: {error.strerror}; --port 0 picks a free one") from None
    return listening
