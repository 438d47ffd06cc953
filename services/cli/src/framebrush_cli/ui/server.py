"""The server of the page: what may be asked of it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.responses import StreamingResponse as Stream
from starlette.routing import Route
from starlette.types import ASGIApp

from framebrush_cli.errors import CommandFailed
from framebrush_cli.ui.desk import Desk
from framebrush_cli.ui.guard import guarded, report_path
from framebrush_cli.ui.reports import film_answer, report_routes

PAGE = files(__package__).joinpath("page")
"""The page itself: what a browser loads, without a build step."""
KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
"""The types of its files."""
MOST_JSON = 2**20
"""The bytes of a question at most."""
OURS = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'"
"""What the page may load (Content Security Policy): nothing from elsewhere."""


def new_app(desk: Desk, address: str, token: str) -> ASGIApp:
    """Return the application.

    Args:
        desk: What does the work.
        address: Where it is served, ``http://127.0.0.1:PORT``.
        token: What lets a browser in.
    """

    async def add_drop(request: Request) -> Response:
        asked = request.query_params
        drop = await desk.drops.add(asked.get("name", ""), request.stream(), asked.get("folder"))
        return JSONResponse({"key": drop.key})

    def add_folder(body: dict[str, Any]) -> dict[str, str]:
        return {"key": desk.drops.add_folder(str(body.get("name"))).key}

    def tile(request: Request) -> Response:
        asked = request.query_params
        data = desk.tile(request.path_params["key"], asked.get("style"), asked.get("picture"))
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})

    async def preview(request: Request) -> Response:
        facts, sheet = await run_in_threadpool(desk.preview, await _asked(request))
        told = json.dumps(facts).encode()
        return Response(sheet, media_type="image/png", headers={"X-Facts": told.decode("ascii")})

    def output(request: Request) -> Response:
        return film_answer(desk.connection, desk.output(request.path_params["run"], request.path_params["number"]))

    def events(_: Request) -> Response:
        told = (f"data: {text}\n\n" if text else ":\n\n" for text in desk.board.events())
        return Stream(told, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    def find_report(request: Request) -> Response:
        return RedirectResponse(report_path(token, request.path_params["run"]), 303)

    def styled(request: Request) -> Response:
        data = desk.styled(request.path_params["run"])
        return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})

    def told(ask: Callable[[Request], Any]) -> Callable[[Request], Response]:
        return lambda request: JSONResponse(ask(request))

    def asked(do: Callable[[dict[str, Any]], Any]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            return JSONResponse(await run_in_threadpool(do, await _asked(request)))

        return answer

    routes = [
        Route("/", _file(PAGE / "page.html")),
        *(Route(f"/{file.name}", _file(file)) for file in PAGE.iterdir()),
        Route("/styles", told(lambda _: desk.styles())),
        Route("/drops", add_drop, methods=["PUT"]),
        Route("/folders", asked(add_folder), methods=["POST"]),
        Route("/films", asked(desk.make_film), methods=["POST"]),
        Route("/films/{key}", told(lambda request: desk.film(request.path_params["key"]))),
        Route("/films/{key}/tile.jpg", tile),
        Route("/previews", preview, methods=["POST"]),
        Route("/prices", asked(desk.price), methods=["POST"]),
        Route("/runs", asked(desk.start), methods=["POST"]),
        Route("/events", events),
        Route("/runs/{run}/cancel", told(lambda request: desk.cancel(request.path_params["run"])), methods=["POST"]),
        Route("/runs/{run}/styled.png", styled),
        Route("/runs/{run}/report", find_report),
        *report_routes(desk.connection),
        Route("/runs/{run}/outputs/{number:int}", output),
        Route("/deadletters", told(lambda _: desk.dead_letters())),
        Route("/deadletters/replay", asked(lambda body: {"sent": desk.replay(body.get("run"))}), methods=["POST"]),
    ]
    return guarded(routes, address, token)


def _file(file: Traversable) -> Callable[[Request], Response]:
    content, kind = file.read_bytes(), KINDS[PurePath(file.name).suffix]
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": OURS}
    return lambda _: Response(content, media_type=kind, headers=headers)


async def _asked(request: Request) -> dict[str, Any]:
    """Return the body of a request, an object of JSON.

    Raises:
        CommandFailed: It is none.
    """
    body = bytearray()
    content: AsyncIterator[bytes] = request.stream()
    async for part in content:
        body += part
        if len(body) > MOST_JSON:
            raise CommandFailed("the question is too long")
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CommandFailed("expected a JSON object")
    return found
