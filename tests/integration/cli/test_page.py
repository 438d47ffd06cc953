"""The page, in Chromium, over a stack that really runs."""

import base64
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from support.video import facts, make_video, painting, picture
from support.web import Site as WebSite
from support.web import serving

from framebrush_cli.local import Home
from framebrush_cli.ui.guard import key_of

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None and os.environ.get("CI"):
    raise RuntimeError("CI needs Chromium: apt-get install chromium")
PROGRAM = (sys.executable, "-P", "-m", "framebrush_cli")

pytestmark = [pytest.mark.timeout(400), pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")]


@dataclass
class Site:
    """A stack, and the page over it."""

    folder: Path
    link: str

    @property
    def address(self) -> str:
        return self.link.partition("/?")[0]


def own(folder: Path) -> dict[str, str]:
    """The variables of a process that finds the stack of a folder, and has its temporary files there."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")}
    return found | {"TMPDIR": str(folder)}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("page")
    variables = own(folder)
    subprocess.run([*PROGRAM, "up"], cwd=folder, env=variables, check=True, timeout=180)
    try:
        command = [*PROGRAM, "ui", "--no-open", "--port", "0"]
        variables |= {"REQUESTS_CA_BUNDLE": str(certificate), "FRAMEBRUSH_DOWNLOAD_PRIVATE": "true"}
        with subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.PIPE, text=True) as page:
            assert page.stdout
            found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", page.stdout.readline())
            assert found
            yield Site(folder, found[0])
            page.send_signal(signal.SIGINT)
            assert page.wait(20) == 0  # with tabs that are open still, and a download that goes on
        assert not list(folder.glob("framebrush-*")), "nothing stays that was made"
    finally:
        subprocess.run([*PROGRAM, "down"], cwd=folder, env=variables, check=True, timeout=60)


@pytest.fixture(scope="module")
def context() -> Iterator["BrowserContext"]:
    """A browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_context(accept_downloads=True)
        browser.close()


@pytest.fixture
def open_tab(site: Site, context: "BrowserContext") -> Iterator[Callable[[], "Page"]]:
    """Opens a tab. Whatever is wrong on its console fails the test."""
    said = list[str]()

    def tab() -> "Page":
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(site.link)
        page.locator(".tile").first.wait_for()
        return page

    yield tab
    # Chromium logs answers that are refusals, which tests ask for.
    assert [text for text in said if "422" not in text] == []
    for page in context.pages:
        page.close()


def drop(page: "Page", place: str, name: str, content: bytes) -> None:
    """Drag a file onto the page and let it go."""
    data = base64.b64encode(content).decode()
    transfer = page.evaluate_handle(
        """([name, data]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([Uint8Array.from(atob(data), each => each.charCodeAt(0))], name));
            return transfer;
        }""",
        [name, data],
    )
    page.dispatch_event(place, "dragover", {"dataTransfer": transfer})
    page.dispatch_event(place, "drop", {"dataTransfer": transfer})


def wait_until(page: "Page", condition: Callable[[], bool]) -> None:
    """Wait for what locators do not wait for: the page lets no tool evaluate text there."""
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        page.wait_for_timeout(50)


def start(page: "Page") -> str:
    """Press Start; return the id of the run."""
    page.click("#start")
    told = page.locator("#told", has_text="is on its way")
    told.wait_for()
    return told.inner_text().split()[0]


def test_a_film_and_a_painting_are_dropped_and_the_result_comes_back(
    site: Site, open_tab: Callable[[], "Page"], tmp_path: Path
) -> None:
    page, other = open_tab(), open_tab()
    film = make_video(tmp_path / "first film.mp4", size=(96, 64), pts=range(0, 20 * 512, 512))
    drop(page, "#film", "first film.mp4", film.read_bytes())
    page.locator("#film small", has_text=", 20 frames").wait_for()
    assert page.locator("#start").is_disabled()  # neither a style nor a painting is chosen
    drop(page, "#picture", "my painting.png", painting(1))
    page.locator("#own").wait_for()
    page.check("[value=ink]")
    tiles = page.locator(".tile img")
    painted = "images => images.every(image => image.complete && image.naturalWidth)"
    wait_until(page, lambda: bool(tiles.evaluate_all(painted)))
    page.click("#look")
    page.locator("#sheet img").wait_for()
    assert page.locator("#sheet img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 900

    run_id = start(page)
    for each in (page, other):
        card = each.locator(f"#run-{run_id}")
        card.locator(".state.succeeded").wait_for()
        assert card.locator(".style").inner_text() == "like my painting.png, ink"
    with page.expect_download() as download:
        page.locator(f"#run-{run_id}").get_by_role("link", name="first film.ink.mp4").click()
    download.value.save_as(tmp_path / "ink.mp4")
    assert len(facts(tmp_path / "ink.mp4").times) == 20
    with page.context.expect_page() as opened:
        page.locator(f"#run-{run_id}").get_by_role("link", name="Report").click()
    opened.value.locator("h1").wait_for(timeout=120_000)
    assert "first film.mp4" in opened.value.locator("h1").inner_text()
    for name in ("first film.mp4", "first film.ink.mp4"):
        with opened.value.expect_download() as download:
            opened.value.locator("header").get_by_role("link", name=name).click()
        download.value.save_as(tmp_path / "linked.mp4")
        wanted = film if name == "first film.mp4" else tmp_path / "ink.mp4"
        assert (tmp_path / "linked.mp4").read_bytes() == wanted.read_bytes()

    # The same report without the page, by `framebrush open`, and from nothing that the page keeps.
    with subprocess.Popen(
        [*PROGRAM, "open", run_id, "--no-open"],
        cwd=site.folder,
        env=own(site.folder),
        stdout=subprocess.PIPE,
        text=True,
    ) as shown:
        assert shown.stdout
        match = re.search(r"http://127\.0\.0\.1:\d+/\S+/", shown.stdout.readline())
        assert match
        assert page.context.browser
        alone = page.context.browser.new_page()  # without the cookies of the others
        alone.goto(match[0])
        assert "first film.mp4" in alone.locator("h1").inner_text()
        with alone.expect_download() as download:
            alone.locator("header").get_by_role("link", name="first film.ink.mp4").click()
        download.value.save_as(tmp_path / "linked.mp4")
        assert (tmp_path / "linked.mp4").read_bytes() == (tmp_path / "ink.mp4").read_bytes()
        assert alone.request.get(match[0].partition("/runs")[0] + "/").status == 403
        assert alone.request.get(match[0].replace(run_id, "other")).status == 403
        assert alone.request.get(match[0] + "other.mp4").status == 422
        alone.close()
        shown.send_signal(signal.SIGINT)
        assert shown.wait(20) == 0

    # What a run in these styles costs is known from now on.
    page.uncheck("[value=ink]")
    page.check("[value=ink]")
    page.locator("#price", has_text=f"by the run {run_id} of 20 frames").wait_for()
    page.click("#own input")
    assert page.locator("#picture b").inner_text() == "Drop a painting here"


def test_a_run_is_cancelled_and_another_one_survives_a_scorer(
    site: Site, open_tab: Callable[[], "Page"], tmp_path: Path
) -> None:
    page = open_tab()
    film = make_video(tmp_path / "long.mp4", size=(320, 240), pts=range(0, 200 * 512, 512))
    drop(page, "#film", "long.mp4", film.read_bytes())
    page.locator("#film small", has_text="200 frames").wait_for()
    page.check("[value=vangogh]")
    cancelled = page.locator(f"#run-{start(page)}")
    cancelled.get_by_role("button", name="Cancel").click()
    cancelled.locator(".state.cancelled").wait_for()

    page.uncheck("[value=vangogh]")
    page.check("[value=wave]")
    card = page.locator(f"#run-{start(page)}")
    look = card.get_by_role("button", name="Look at it")
    wait_until(page, look.is_enabled)
    look.click()
    card.locator("img.styled").wait_for()
    [scorer] = [part for part in Home(site.folder / ".framebrush").read().parts if part.name == "scorer"]
    assert scorer.pid
    os.kill(scorer.pid, signal.SIGKILL)
    card.locator(".state.succeeded").wait_for()
    assert "200 frames" in card.locator(".line").inner_text()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """A folder of 12 pictures, with a folder in it and a file that is none."""
    (tmp_path / "shots" / "old").mkdir(parents=True)
    for number in range(12):
        Image.fromarray(picture(number, 96, 64)).save(tmp_path / "shots" / f"{number}.png")
    Image.fromarray(picture(0, 64, 64)).save(tmp_path / "shots" / "old" / "small.png")
    (tmp_path / "shots" / "notes.txt").write_text("no picture")
    return tmp_path / "shots"


def drag(page: "Page", place: str, path: Path) -> None:
    """Drag a file or a folder of this computer onto the page, as a person does it."""
    box = page.locator(place).bounding_box()
    assert box
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        session.send("Input.dispatchDragEvent", {"type": kind, "x": box["x"] + 9, "y": box["y"] + 9, "data": data})


def test_a_folder_of_pictures_becomes_a_film(
    site: Site, open_tab: Callable[[], "Page"], tmp_path: Path, shots: Path
) -> None:
    page = open_tab()
    film = page.locator("#film small")
    drag(page, "#film", shots)
    film.get_by_text("12 frames, 0.5 s").wait_for()
    assert page.locator("#film b").inner_text() == "shots"
    page.get_by_role("textbox", name="Pictures per second").fill("12")
    page.keyboard.press("Enter")
    film.get_by_text("12 frames, 1.0 s").wait_for()
    page.get_by_role("textbox", name="Pictures per second").fill("fast")
    page.keyboard.press("Enter")
    page.locator("#told.wrong", has_text="--rate fast: expected pictures per second, such as 25").wait_for()
    page.get_by_role("textbox", name="Pictures per second").fill("12")
    page.keyboard.press("Enter")
    film.get_by_text("12 frames, 1.0 s").wait_for()
    page.check("[value=ink]")
    card = page.locator(f"#run-{start(page)}")
    card.locator(".state.succeeded").wait_for()
    with page.expect_download() as download:
        card.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "shots.mkv")
    assert len(facts(tmp_path / "shots.mkv").times) == 12

    # The same by the buttons: a folder, several files, and what is no picture.
    page.get_by_label("A folder of pictures").set_input_files(shots)
    film.get_by_text("12 frames, 1.0 s").wait_for()
    page.locator("#film input").set_input_files(sorted(shots.glob("1*.png")))
    film.get_by_text("3 frames").wait_for()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    drag(page, "#film", tmp_path / "empty")
    page.locator("#told.wrong", has_text="empty has no pictures: .jpg, ").wait_for()
    assert page.locator("#start").is_disabled()
    drag(page, "#film", shots / "old")
    film.get_by_text("1 frame").wait_for()
    Image.fromarray(picture(0, 96, 64)).save(shots / "old" / "wide.png")
    drag(page, "#film", shots / "old")
    page.locator("#told.wrong", has_text="wide.png has 96x64 pixels, and small.png has 64x64").wait_for()


@pytest.fixture(scope="module")
def web(certificate: Path) -> Iterator[str]:
    """The address of a web site."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    yield from serving(context)


def test_an_address_becomes_a_film(open_tab: Callable[[], "Page"], tmp_path: Path, web: str) -> None:
    page = open_tab()
    WebSite.film = make_video(tmp_path / "film.mp4", size=(96, 64), pts=range(0, 9 * 512, 512)).read_bytes()
    for given, words in [
        (f"{web}/missing.mp4?sig=secret", "localhost/missing.mp4: the server says 404 Not Found"),
        (f"{web}/page.mp4", "is a web page, and no film"),
        (web.replace("https", "http") + "/film.mp4", "films come from https: addresses only"),
        ("file:///etc/passwd", "films come from https: addresses only"),
    ]:
        page.get_by_label("or an address").fill(given)
        page.keyboard.press("Enter")
        page.locator("#told.wrong", has_text=words).wait_for()
        assert "secret" not in page.locator("#told").inner_text()
    for name, words, known in [
        ("steady.mp4", r"downloading: [\d.]+ [kM]B of 4\.0 MB \(\d+ %\), about [\d.]+ m?s left", True),
        ("steady-untold.mp4", r"downloading: [\d.]+ [kM]B$", False),
    ]:
        page.get_by_label("or an address").fill(f"{web}/{name}")
        page.get_by_role("button", name="Fetch").click()
        page.locator("#film small", has_text=re.compile(words)).wait_for()
        bar = page.get_by_role("progressbar", name="how much of the film is there")
        assert 0 < bar.evaluate("bar => bar.position") < 1 if known else bar.evaluate("bar => bar.position") == -1
        page.locator("#film small", has_text=", 9 frames, ").wait_for()
        assert bar.is_hidden()
    page.get_by_label("or an address").fill(f"{web}/film.mp4?sig=secret")
    page.get_by_role("button", name="Fetch").click()
    page.locator("#film small", has_text=", 9 frames, ").wait_for()
    page.check("[value=ink]")
    card = page.locator(f"#run-{start(page)}")
    assert card.locator(".film").inner_text() == "film.mp4"
    card.locator(".state.succeeded").wait_for()


def test_what_is_no_film_is_told_and_a_dead_letter_is_replayed(site: Site, open_tab: Callable[[], "Page"]) -> None:
    page = open_tab()
    drop(page, "#film", "letter.mp4", b"Dear all, " * 1000)
    page.locator("#told.wrong", has_text="letter.mp4").wait_for()
    assert page.locator("#start").is_disabled()

    # The command line uploads it first, and its run fails.
    (site.folder / "letter.mp4").write_bytes(b"Dear all, " * 1000)
    told = subprocess.run(
        [*PROGRAM, "submit", "letter.mp4", "--style", "ink", "--wait"],
        cwd=site.folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert told.returncode == 1
    run_id = told.stdout.split()[0]
    card = page.locator(f"#run-{run_id}")
    card.locator(".state.failed").wait_for()
    assert "invalid_video" in card.locator(".line").inner_text()
    page.click("#read")
    page.locator("#dead", has_text=run_id).wait_for()
    page.locator("#dead").get_by_role("button", name="Replay").first.click()
    page.locator("#told", has_text="1 message sent again").wait_for()
    card.get_by_role("button", name="Try again").wait_for()  # it has failed again


def test_nobody_else_is_let_in(site: Site) -> None:
    def code(path: str, **headers: str) -> int:
        method, body = headers.pop("method", "GET"), headers.pop("body", None)
        data = body.encode() if body else None
        request = urllib.request.Request(site.address + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    port, token = site.address.rpartition(":")[2], site.link.rpartition("=")[2]
    cookie = f"framebrush-{port}={token}"
    assert code("/styles", Cookie=cookie) == 200
    assert code("/styles") == 403
    assert code("/?token=guessed") == 403
    assert code("/styles", Cookie=cookie, Host=f"films.example:{port}") == 403
    for origin, wanted in ((site.address, 422), ("http://127.0.0.1:1", 403), ("null", 403)):
        assert code("/runs", Cookie=cookie, Origin=origin, method="POST") == wanted
    assert code("/runs", Cookie=cookie, method="POST") == 403
    assert code("/drops?name=../../x", Cookie=cookie, Origin=site.address, method="PUT") == 422  # it is empty
    assert not (site.folder / "x").exists()
    # The server takes no paths of this computer: a film is dropped, or has an address.
    for body in ({"address": "/etc/passwd"}, {"folder": "/etc"}, {}, {"address": "../x"}):
        assert code("/films", Cookie=cookie, Origin=site.address, method="POST", body=json.dumps(body)) == 422
    # A report's links have a key to its run, and to nothing else.
    key = key_of(token, "one")
    assert code(f"/runs/one/report/{key}/film.mp4") == 422  # there is no such run
    assert code(f"/runs/other/report/{key}/film.mp4") == 403
    assert code(f"/runs/one/report/{'0' * 64}/film.mp4") == 403
    assert code(f"/runs/one/report/{key}/film.mp4", method="DELETE", Origin=site.address) == 403


def test_the_page_ends_in_the_middle_of_a_download(site: Site, context: "BrowserContext", web: str) -> None:
    # That it does is seen when the site ends: this is the last test, and its tab stays open.
    page = context.new_page()
    page.goto(site.link)
    page.get_by_label("or an address").fill(f"{web}/slow.mp4")
    page.keyboard.press("Enter")
    page.locator("#film small", has_text="downloading it").wait_for()
