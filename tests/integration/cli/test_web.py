"""Films from the web: a real server, with a certificate of its own."""

import fcntl
import io
import os
import pty
import re
import ssl
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlunsplit

import pytest
from rich.console import Console
from support.video import make_video
from support.web import Site, serving
from typer.testing import CliRunner

from framebrush.errors import FramebrushError
from framebrush_cli.__main__ import app
from framebrush_cli.sources import opened_source
from framebrush_cli.sources.public import is_public
from framebrush_cli.sources.source import url_name


@pytest.fixture(autouse=True)
def film(tmp_path: Path) -> bytes:
    Site.film = make_video(tmp_path / "made.mp4", audio=None).read_bytes()
    Site.asked.clear()
    return Site.film


@pytest.fixture
def site(certificate: Path) -> Iterator[str]:
    """A site over TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    yield from serving(context)


@pytest.fixture
def trusted(site: str, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, where its certificate is trusted, and addresses of this computer are allowed."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("FRAMEBRUSH_DOWNLOAD_PRIVATE", "true")
    return site


def refused(url: str, words: str) -> None:
    with pytest.raises(FramebrushError, match=words) as caught, opened_source(url):
        pass
    assert "secret" not in str(caught.value)


def test_a_film_comes_as_it_is(trusted: str, film: bytes) -> None:
    for path in ("/film.mp4?sig=secret", f"/to/{trusted.replace('://', '__')}_film.mp4", "/to/_film.mp4"):
        with opened_source(trusted + path) as source:
            assert Path(source.name).name == "film.mp4"
            assert Path(source.name).read_bytes() == film
            assert "secret" not in str(source.facts)
        assert not Path(source.name).exists()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/missing.mp4?sig=secret", r"localhost/missing\.mp4: the server says 404 Not Found"),
        ("/page.mp4", "is a web page, and no film"),
        ("/page-in-disguise.mp4", "is a web page, and no film"),
        ("/large.mp4", "the film is larger than 10 MB: if that is wanted, raise FRAMEBRUSH_MAX_DOWNLOAD_SIZE"),
        ("/endless.mp4", "the film is larger than 10 MB"),
        ("/slow.mp4", "the download takes longer than 2 s: .* raise FRAMEBRUSH_MAX_DOWNLOAD_TIME"),
        ("/cut.mp4", "the connection ended after 100 of [0-9]+ bytes|cannot be downloaded"),
        ("/empty.mp4", "is empty"),
        ("/loop", "more than 5 addresses"),
        ("/to/ftp__localhost_film.mp4", "https: addresses only"),
        ("/to/file__etc_passwd", "https: addresses only"),
    ],
)
def test_what_cannot_be_had_is_told(trusted: str, monkeypatch: pytest.MonkeyPatch, path: str, words: str) -> None:
    monkeypatch.setenv("FRAMEBRUSH_MAX_DOWNLOAD_SIZE", "10")
    monkeypatch.setenv("FRAMEBRUSH_MAX_DOWNLOAD_TIME", "2")
    refused(trusted + path, words)


def test_a_certificate_that_nobody_knows_is_refused(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEBRUSH_DOWNLOAD_PRIVATE", "true")
    refused(f"{site}/film.mp4", "the server cannot be trusted: .*certificate verify failed")
    assert not Site.asked


def test_addresses_that_are_not_public_are_refused(
    site: str, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    port = site.rpartition(":")[2]
    for host in ("localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "2130706433"):
        refused(f"https://{host}:{port}/film.mp4", "no public address: .* set FRAMEBRUSH_DOWNLOAD_PRIVATE=true")
    refused("https://169.254.169.254/metadata", "no public address")
    assert not Site.asked, "nothing was asked of them"


@pytest.mark.parametrize(
    ("address", "public"),
    [("8.8.8.8", True), ("2606:4700::1111", True), ("10.1.2.3", False), ("192.168.0.1", False), ("127.0.0.1", False),
     ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False), ("224.0.0.1", False), ("::1", False),
     ("fe80::1%eth0", False), ("fd00::1", False), ("::ffff:10.0.0.1", False), ("64:ff9b::7f00:1", False),
     ("2002:7f00:1::", False)],
)  # fmt: skip
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_https_only_unless_it_is_allowed(film: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEBRUSH_DOWNLOAD_PRIVATE", "true")
    server = serving(None)
    site = next(server)
    refused(f"{site}/film.mp4", "https: addresses only: if that is wanted, set FRAMEBRUSH_DOWNLOAD_HTTP=true")
    assert not Site.asked
    monkeypatch.setenv("FRAMEBRUSH_DOWNLOAD_HTTP", "true")
    with opened_source(f"{site}/film.mp4") as source:
        assert Path(source.name).read_bytes() == film
    next(server, None)
    refused(f"{site}/film.mp4", "cannot be downloaded: .*Connection refused")
    refused("https://nobody.invalid/film.mp4", "cannot be downloaded: .*(resolve|known)")
    refused(urlunsplit(("https", "user:secret@localhost", "/film.mp4", "", "")), "password is not taken")
    refused("https:///film.mp4", "names no server")


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://a/b/My%20film.mp4?x=1", "My film.mp4"), ("https://a/", "film"), ("https://a/..%2f..%2fetc", "etc"),
     ("https://a/%1b[2J.mp4", "__2J.mp4"), ("https://a/" + "x" * 300 + ".mkv", "x" * 100 + ".mkv")],
)  # fmt: skip
def test_names_of_files(url: str, name: str) -> None:
    assert url_name(url) == name


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("/steady.mp4", r"downloading: [\d.]+ [kM]B of 4\.0 MB \(\d+ %\)(, about [\d.]+ m?s left)?"),
     ("/steady-untold.mp4", r"downloading: [\d.]+ [kM]B")],
)  # fmt: skip
def test_a_line_tells_from_time_to_time_how_far_it_is(
    trusted: str, monkeypatch: pytest.MonkeyPatch, path: str, wanted: str
) -> None:
    told = io.StringIO()
    monkeypatch.setattr("framebrush_cli.transfers.err", Console(file=told, width=500))
    monkeypatch.setattr("framebrush_cli.transfers.INTERVAL", 0.5)
    with opened_source(trusted + path) as source:
        assert Path(source.name).stat().st_size > 4_000_000
    lines = told.getvalue().splitlines()
    assert 4 <= len(lines) <= 9, lines
    assert all(re.fullmatch(wanted, line) for line in lines), lines
    assert ("about" in lines[-2]) == ("untold" not in path)


def test_a_terminal_shows_how_far_it_is(trusted: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-P", "-m", "framebrush_cli", "preview", f"{trusted}/steady.mp4", "--style", "ink"]
    variables = os.environ | {"TERM": "xterm"}
    done = subprocess.Popen(command, cwd=tmp_path, env=variables, stdout=subprocess.DEVNULL, stderr=theirs)
    os.close(theirs)
    said = b""
    with suppress(OSError):  # it ends so
        while part := os.read(ours, 2**16):
            said += part
    os.close(ours)
    assert done.wait(60) == 0
    plain = re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", said)
    assert re.search(rb"downloading .*[\d.]+ MB of 4\.0 MB \(\d+ %\), about [\d.]+ m?s left", plain), plain


def test_commands_take_addresses(
    trusted: str,
    framebrush: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    preview = ["preview", f"{trusted}/film.mp4", "--style", "ink"]
    assert CliRunner().invoke(app, preview).exit_code == 0
    assert (tmp_path / "film.preview.png").exists()
    # A film is looked at as any other one, in the sandbox.
    Site.film = b"this is no film"
    assert "not a readable video" in str(CliRunner().invoke(app, [*preview, "--force"]).exception)
    missing = CliRunner().invoke(app, ["style", f"{trusted}/missing.mp4", "-o", "out.mp4"])
    assert "404 Not Found" in str(missing.exception)
    assert not (tmp_path / ".framebrush").exists()

    assert framebrush("submit", f"{trusted}/film.mp4", "--style", "ink").stdout.startswith("film-")
    assert "strength: " in framebrush("submit", f"{trusted}/film.mp4?2", "--strength", "3", code=1).stderr
    assert not [path for path in Site.asked if "?2" in path], "what is wrong is told before anything is downloaded"
