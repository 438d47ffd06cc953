"""The server of the page: what may be asked of it, and by whom."""

import hmac
import json
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.responses import StreamingResponse as Stream
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from framebrush.errors import FramebrushError
from framebrush.storage import BlobReader
from framebrush_cli.errors import CommandFailed
from framebrush_cli.ui.desk import Desk

CHUNK = 4 * 2**20
"""The bytes of a film that are read at a time."""
MOST_JSON = 2**20
"""The bytes of a question at most."""
OURS = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'"
"""What the page may load (Content Security Policy): nothing from elsewhere."""
REPORT = "sandbox allow-scripts allow-downloads; default-src 'unsafe-inline' data: blob:"
"""What a report may: it is a page from Blob storage, and gets no hold of ours. It may link to the films of its run."""


LINKED = re.compile(r"/runs/(?P<run>[^/]+)/report/(?P<key>[0-9a-f]{64})/")
"""The paths of a report, and of the films that it links to."""


class Guard:
    """Lets in who has the address that was printed: other people of this computer, and pages of others, do not."""

    def __init__(self, app: ASGIApp, address: str, token: str) -> None:
        self._app, self._token = app, token
        parts = urlsplit(address)
        self._hosts = {f"{name}:{parts.port}" for name in (parts.hostname, "localhost")}
        self._cookie = f"framebrush-{parts.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        request = Request(scope)
        await (self._answer(request) or self._app)(scope, receive, send)

    def _answer(self, request: Request) -> Response | None:
        # A name that leads to this computer could make a page of others one of ours (DNS rebinding).
        if request.headers.get("host") not in self._hosts:
            return PlainTextResponse("not a name of this page", 403)
        if request.url.path == "/" and self._is_ours(request.query_params.get("token")):
            welcome = RedirectResponse("/", 303)
            welcome.set_cookie(self._cookie, self._token, httponly=True, samesite="strict")
            return welcome
        # A report is isolated, so that its links come without our cookie. They have a key to the films of one run.
        match = LINKED.match(request.url.path) if request.method == "GET" else None
        if match and secrets.compare_digest(match["key"], key_of(self._token, match["run"])):
            return None
        if not self._is_ours(request.cookies.get(self._cookie)):
            return PlainTextResponse("Open the address that `framebrush ui` has printed: it has a token.", 403)
        # Cookies know no ports: a page of another port of this computer would send ours.
        origin = request.headers.get("origin")
        if request.method not in ("GET", "HEAD") and urlsplit(origin or "").netloc not in self._hosts:
            return PlainTextResponse("not asked by this page", 403)
        return None

    def _is_ours(self, token: str | None) -> bool:
        return token is not None and secrets.compare_digest(token.encode(), self._token.encode())


def new_app(desk: Desk, address: str, token: str) -> ASGIApp:
    """Return the application.

    Args:
        desk: What does the work.
        address: Where it is served, ``http://127.0.0.1:PORT``.
        token: What lets a browser in.
    """

    async def add_drop(request: Request) -> Response:
        drop = await desk.drops.add(request.query_params.get("name", ""), request.stream())
        return JSONResponse({"key": drop.key, "name": drop.path.name})

    def tile(request: Request) -> Response:
        asked = request.query_params
        data = desk.tile(request.path_params["key"], asked.get("style"), asked.get("picture"))
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "max-age=3600"})

    async def preview(request: Request) -> Response:
        facts, sheet = await run_in_threadpool(desk.preview, await _asked(request))
        told = json.dumps(facts).encode()
        return Response(sheet, media_type="image/png", headers={"X-Facts": told.decode("ascii")})

    def output(request: Request) -> Response:
        return film(*desk.output(request.path_params["run"], request.path_params["number"]))

    def linked(request: Request) -> Response:
        return film(*desk.film_of(request.path_params["run"], request.path_params["name"]))

    def film(name: str, size: int, file: BlobReader) -> Response:
        def parts() -> Iterator[bytes]:
            while part := file.read(CHUNK):
                yield part

        headers = {"Content-Length": str(size), "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        return Stream(parts(), media_type="application/octet-stream", headers=headers)

    def events(_: Request) -> Response:
        told = (f"data: {text}\n\n" if text else ":\n\n" for text in desk.board.events())
        return Stream(told, media_type="text/event-stream", headers={"Cache-Control": "no-store"})

    def find_report(request: Request) -> Response:
        run = request.path_params["run"]
        return RedirectResponse(f"/runs/{quote(run)}/report/{key_of(token, run)}/", 303)

    def report(request: Request) -> Response:
        page = desk.report(request.path_params["run"])
        return HTMLResponse(page, headers={"Content-Security-Policy": REPORT})

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
        Route("/", _static("page.html", "text/html", {"Content-Security-Policy": OURS})),
        Route("/page.css", _static("page.css", "text/css")),
        Route("/page.js", _static("page.js", "text/javascript")),
        Route("/styles", told(lambda _: desk.styles())),
        Route("/drops", add_drop, methods=["PUT"]),
        Route("/films/{key}", told(lambda request: desk.film(request.path_params["key"]))),
        Route("/films/{key}/tile.jpg", tile),
        Route("/previews", preview, methods=["POST"]),
        Route("/prices", asked(desk.price), methods=["POST"]),
        Route("/runs", asked(desk.start), methods=["POST"]),
        Route("/events", events),
        Route("/runs/{run}/cancel", told(lambda request: desk.cancel(request.path_params["run"])), methods=["POST"]),
        Route("/runs/{run}/styled.png", styled),
        Route("/runs/{run}/report", find_report),
        Route("/runs/{run}/report/{key}/", report),
        Route("/runs/{run}/report/{key}/{name}", linked),
        Route("/runs/{run}/outputs/{number:int}", output),
        Route("/deadletters", told(lambda _: desk.dead_letters())),
        Route("/deadletters/replay", asked(lambda body: {"sent": desk.replay(body.get("run"))}), methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {FramebrushError: _refused, Exception: _failed}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), address, token)


def key_of(token: str, run: str) -> str:
    """Return what lets in to the report and to the films of one run, and to nothing else."""
    return hmac.new(token.encode(), run.encode(), "sha256").hexdigest()


def _static(name: str, media_type: str, headers: dict[str, str] | None = None) -> Callable[[Request], Response]:
    content = files(__package__).joinpath(name).read_bytes()
    return lambda _: Response(content, media_type=media_type, headers={"Cache-Control": "no-cache", **(headers or {})})


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


def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 422)


def _failed(*_: object) -> Response:  # uvicorn logs the error
    return JSONResponse({"error": "something went wrong: the terminal of `framebrush ui` shows what"}, 500)
