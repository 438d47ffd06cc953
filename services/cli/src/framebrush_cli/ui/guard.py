"""Who is let in to a page of this computer."""

import hmac
import re
import secrets
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from framebrush.errors import FramebrushError

LINKED = re.compile(r"/runs/(?P<run>[^/]+)/report/(?P<key>[0-9a-f]{64})/")
"""The paths of a report, and of the films that it links to."""


class Guard:
    """Lets in who has the address that was printed: other people of this computer, and pages of others, do not."""

    def __init__(self, app: ASGIApp, address: str, token: str) -> None:
        """Guard an application.

        Args:
            app: The application.
            address: Where it is served, ``http://127.0.0.1:PORT``.
            token: What lets a browser in. Whoever has only the key of a report sees that, see :func:`report_path`.
        """
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
            return PlainTextResponse("Open the address that framebrush has printed: it lets you in.", 403)
        # Cookies know no ports: a page of another port of this computer would send ours.
        origin = request.headers.get("origin")
        if request.method not in ("GET", "HEAD") and urlsplit(origin or "").netloc not in self._hosts:
            return PlainTextResponse("not asked by this page", 403)
        return None

    def _is_ours(self, token: str | None) -> bool:
        return token is not None and secrets.compare_digest(token.encode(), self._token.encode())


def guarded(routes: Sequence[Route], address: str, token: str) -> ASGIApp:
    """Return an application of routes that is guarded, and says what went wrong in JSON; see :class:`Guard`."""
    handlers: dict[Any, Any] = {FramebrushError: _refused, Exception: _failed}
    return Guard(Starlette(routes=routes, exception_handlers=handlers), address, token)


def _refused(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 422)


def _failed(*_: object) -> Response:  # uvicorn logs the error
    return JSONResponse({"error": "something went wrong: the terminal of framebrush shows what"}, 500)


def key_of(token: str, run: str) -> str:
    """Return what lets in to the report and to the films of one run, and to nothing else."""
    return hmac.new(token.encode(), run.encode(), "sha256").hexdigest()


def report_path(token: str, run: str) -> str:
    """Return the path of the report of a run, with the key that lets in."""
    return f"/runs/{quote(run)}/report/{key_of(token, run)}/"
