"""Downloads a film from the web, within limits, and from public addresses only."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from urllib.parse import urljoin, urlsplit

import requests
from pydantic import Field, ValidationError
from urllib3.exceptions import HTTPError

from framebrush.contracts import explain
from framebrush.environment import Environment
from framebrush.errors import LimitExceeded
from framebrush_cli.errors import CommandFailed
from framebrush_cli.sources.public import PublicAdapter
from framebrush_cli.sources.source import url_name
from framebrush_cli.transfers import Watcher, transfer

PART = 2**20
"""The bytes that are asked for at a time."""
PATIENCE = (10.0, 30.0)
"""The seconds for a connection, and those between two parts."""
REDIRECTS = 5
"""The most addresses that lead to another one."""
SPARE = 2**30
"""The bytes of the disk that stay free."""
HEAD = 1024
"""The bytes in which a web page is known."""
AUTHORITIES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""The variables by which people name certificates of their own, as the ones of a company."""


class WebSettings(Environment):
    """What is downloaded."""

    max_download_size: Annotated[int, Field(ge=1)] = 20_000
    """The megabytes (10^6 bytes) of a film from the web at most."""
    max_download_time: Annotated[float, Field(gt=0)] = 3600.0
    """The seconds that a download may take."""
    download_private: bool = False
    """Whether addresses are allowed that are not public: of this computer, and of networks behind it."""
    download_http: bool = False
    """Whether addresses are allowed that begin with ``http:``, where anybody on the way can change the film."""


def download(url: str, folder: Path, watcher: Watcher | None = None) -> Path:
    """Write the film of an address to a file in a folder; return the file.

    Whether it is a film is found where it is opened, as with any other. How far it is, is told to a watcher if there
    is one, and else to the terminal.

    Raises:
        CommandFailed: It cannot be had; the text says why.
        LimitExceeded: It is too large, or takes too long.
    """
    try:
        settings, shown = WebSettings(), shown_url(url)
    except ValidationError as error:
        raise CommandFailed(explain(error, lambda field: f"FRAMEBRUSH_{field.upper()}")) from None
    end = time.monotonic() + settings.max_download_time
    with requests.Session() as session:
        session.trust_env = False  # no proxies, which would look up names themselves, and no passwords of .netrc
        session.headers["Accept-Encoding"] = "identity"
        session.verify = next((os.environ[name] for name in AUTHORITIES if os.environ.get(name)), True)
        session.mount("https://", PublicAdapter(private=settings.download_private))
        session.mount("http://", PublicAdapter(private=settings.download_private))
        try:
            with _answer(session, url, settings) as answer:
                if "html" in answer.headers.get("Content-Type", ""):
                    raise _page(shown)
                target = folder / url_name(answer.url)
                _write(answer, target, settings, end, shown, watcher)
                return target
        except requests.exceptions.SSLError as error:
            raise CommandFailed(f"{shown}: the server cannot be trusted: {_reason(error)}") from None
        except (requests.Timeout, TimeoutError):
            raise CommandFailed(f"{shown}: the server does not answer in time") from None
        except (requests.RequestException, HTTPError) as error:
            raise CommandFailed(f"{shown} cannot be downloaded: {_reason(error)}") from None
        except OSError as error:
            raise CommandFailed(f"{shown} cannot be written to {folder}: {error.strerror}") from None


def shown_url(url: str) -> str:
    """Return an address for people: without what may be a secret, and what could steer a terminal."""
    parts = urlsplit(url)
    return re.sub(r"[^\x21-\x7e]", "?", f"{parts.scheme}://{parts.hostname or ''}{parts.path}")[:300]


def _answer(session: requests.Session, url: str, settings: WebSettings) -> requests.Response:
    """Return the answer to a request, after all that leads elsewhere."""
    for _ in range(REDIRECTS + 1):
        _check(url, settings)
        answer = session.get(url, stream=True, allow_redirects=False, timeout=PATIENCE)
        if not answer.is_redirect:
            if not answer.ok:
                answer.close()
                why = f"{answer.status_code} {answer.reason}".strip()
                raise CommandFailed(f"{shown_url(url)}: the server says {why[:100]}")
            return answer
        answer.close()
        url = urljoin(url, answer.headers["Location"])
    raise CommandFailed(f"{shown_url(url)}: more than {REDIRECTS} addresses that lead to another one")


def _check(url: str, settings: WebSettings) -> None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise CommandFailed(f"{url[:300]!r} is no address") from None
    if parts.scheme != "https" and not (parts.scheme == "http" and settings.download_http):
        hint = ": if that is wanted, set FRAMEBRUSH_DOWNLOAD_HTTP=true" if parts.scheme == "http" else ""
        raise CommandFailed(f"{shown_url(url)}: films come from https: addresses only{hint}")
    if not host:
        raise CommandFailed(f"{shown_url(url)} names no server")
    if parts.username is not None or parts.password is not None:
        raise CommandFailed(f"{shown_url(url)}: an address with a password is not taken")


def _write(
    answer: requests.Response, target: Path, settings: WebSettings, end: float, shown: str, watcher: Watcher | None
) -> None:
    told = answer.headers.get("Content-Length", "")
    total = int(told) if told.isdecimal() else None

    def check_size(size: int) -> None:
        if size > settings.max_download_size * 10**6:
            found = f"{shown}: the film is larger"
            raise LimitExceeded.of(found, f"{settings.max_download_size} MB", "MAX_DOWNLOAD_SIZE")

    check_size(total or 0)
    with target.open("wb") as file, transfer("downloading", total, watcher) as advance:
        for part in _parts(answer):
            check_size(file.tell() + len(part))
            if time.monotonic() > end:
                found = f"{shown}: the download takes longer"
                raise LimitExceeded.of(found, f"{settings.max_download_time:g} s", "MAX_DOWNLOAD_TIME")
            if shutil.disk_usage(target.parent).free < SPARE + len(part):
                raise CommandFailed(f"{shown} does not fit on the disk: {target.parent} has less than 1 GB free")
            if not file.tell() and re.match(rb"\s*<(!doctype html|html)", part[:HEAD], re.IGNORECASE):
                raise _page(shown)
            file.write(part)
            advance(len(part))
        count = file.tell()
    if not count:
        raise CommandFailed(f"{shown} is empty (0 bytes)")
    if total is not None and count < total and "Content-Encoding" not in answer.headers:
        raise CommandFailed(f"{shown}: the connection ended after {count} of {total} bytes: try again")


def _parts(answer: requests.Response) -> Iterator[bytes]:
    """Yield the content as it comes: whoever sends a byte a second is noticed at the end of the time, too."""
    while part := answer.raw.read1(PART, decode_content=True):
        yield part


def _page(shown: str) -> CommandFailed:
    return CommandFailed(f"{shown} is a web page, and no film: give the address of the video file itself")


def _reason(error: BaseException) -> str:
    """Return the innermost reason of an error of the network, in a line."""
    while inner := [each for each in (getattr(error, "reason", None), *error.args) if isinstance(each, Exception)]:
        error = inner[0]
    return re.sub(r"^<[^>]*>: |^\w+\(host=.*?\): ", "", str(error))[:300] or type(error).__name__
