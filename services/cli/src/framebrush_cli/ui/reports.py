"""The reports of runs as they are served, with the films to which they link."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.responses import StreamingResponse as Stream
from starlette.routing import Route
from starlette.types import ASGIApp

from framebrush.contracts import BlobRef
from framebrush.storage import BlobReader
from framebrush_cli.commands.get import page_of
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection
from framebrush_cli.ui.guard import guarded

CHUNK = 4 * 2**20
"""The bytes of a film that are read at a time."""
ISOLATED = "sandbox allow-scripts allow-downloads; default-src 'unsafe-inline' data: blob:"
"""What a report may (Content Security Policy): it is a page from Blob storage, and gets no hold of ours. It may link to
the films of its run."""


def report_routes(connection: Connection) -> list[Route]:
    """Return what answers for the reports of all runs, and for the input and the outputs of each."""

    def report(request: Request) -> Response:
        page = connection.store.read(page_of(connection, request.path_params["run"]))
        return HTMLResponse(page, headers={"Content-Security-Policy": ISOLATED})

    def film(request: Request) -> Response:
        run, name = request.path_params["run"], request.path_params["name"]
        status = connection.runs.status(run)
        for ref in (*status.outputs, status.input):
            if PurePosixPath(ref.name).name == name:
                return film_answer(connection, ref)
        raise CommandFailed(f"{run} has neither read nor written a film {name}")

    return [Route("/runs/{run}/report/{key}/", report), Route("/runs/{run}/report/{key}/{name}", film)]


def new_report_app(connection: Connection, address: str, token: str) -> ASGIApp:
    """Return an application that has the reports only.

    Args:
        connection: The installation.
        address: Where it is served, ``http://127.0.0.1:PORT``.
        token: From which the keys of reports are made; see :func:`framebrush_cli.ui.guard.report_path`.
    """
    return guarded(report_routes(connection), address, token)


def film_answer(connection: Connection, ref: BlobRef) -> Response:
    """Return a film as a download, which is read as it is sent."""
    info, name = connection.store.stat(ref), PurePosixPath(ref.name).name
    file = BlobReader(connection.store, ref, info.size, info.etag)

    def parts() -> Iterator[bytes]:
        while part := file.read(CHUNK):
            yield part

    headers = {"Content-Length": str(info.size), "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return Stream(parts(), media_type="application/octet-stream", headers=headers)
