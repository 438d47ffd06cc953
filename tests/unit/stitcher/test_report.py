"""The page of a run: every figure in it is computed again here from the blobs, and Chromium opens it."""

import base64
import io
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from support.pages import figures_in, page_of, page_ref, run
from support.pipeline import Pipeline
from support.video import make_video, painting

from framebrush.contracts import BlobRef, Report, State, StyleImage, Timings
from framebrush.runs import Outputs
from framebrush.sandbox import Sandbox
from framebrush_cli.commands import get
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection
from framebrush_stitcher.report.figures import Figures

CHROMIUM = shutil.which("chromium")
if not CHROMIUM and os.environ.get("CI"):
    raise RuntimeError("CI needs Chromium: apt-get install chromium")


def test_the_page_is_one_small_file_that_asks_no_network(page: str) -> None:
    assert len(page.encode()) < 3 * 10**6
    sources = re.findall(r'(?:src|srcset|data)="([^"]*)"', page)
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert re.findall(r'href="([^"]*)"', page) == [
        "data:,", "film.mp4", "film.identity.mp4", "film.ink.mp4",
        *("film.mp4", "film.identity.mp4", "film.mp4", "film.ink.mp4"),
    ]  # fmt: skip
    assert set(re.findall(r"url\(([^)]*)", page)) <= {"#hatch"}
    assert "default-src 'none'" in page


def stages_of(pipeline: Pipeline) -> dict[str, list[tuple[datetime, datetime, int, int]]]:
    """Beginning, end, frames and bytes of each piece of work, by its blob."""
    found: dict[str, list[tuple[datetime, datetime, int, int]]] = {"frames": [], "styled": [], "encoded": []}
    for blob in pipeline.store.list("work", "runs/film/"):
        folder = blob.ref.name.split("/")[2].partition(".")[0]
        if folder in found:
            count = int(m[1]) if (m := re.search(r"-(\d+)\.tar$", blob.ref.name)) else 12
            begin, end = (datetime.fromisoformat(blob.metadata[key]) for key in ("started", "ended"))
            found[folder].append((begin, end, count, blob.size))
    return found


def test_frames_bytes_and_operations_are_those_of_the_blobs(pipeline: Pipeline, figures: dict[str, Any]) -> None:
    assert figures["frames"] == 48
    assert figures["failed_frames"] == 0
    kinds = stages_of(pipeline)
    names = {"split": "frames", "scored": "styled", "encoded": "encoded"}
    assert figures["bytes"] == {stage: sum(task[3] for task in kinds[name]) for stage, name in names.items()}
    outputs = [blob for blob in pipeline.store.list("output") if blob.ref.name.endswith(".mp4")]
    sizes = {f"output {blob.ref}": blob.size for blob in outputs}
    assert figures["sizes"] == sizes | {
        "input input/film.mp4": len(pipeline.store.read(BlobRef(container="input", name="film.mp4")))
    }
    folders = Counter(blob.ref.name.split("/")[2] for blob in pipeline.store.list("work", "runs/film/"))
    documents = {"manifest.json", "report.json", "request.json", "timings.json"}
    assert figures["writes"] == sum(n for name, n in folders.items() if name not in documents) + len(outputs)
    assert figures["messages"] == len(pipeline.handled)


def test_chunks_of_a_long_segment_count(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4", size=(64, 48), gop=1000, audio=None).read_bytes()
    pipeline = run(film, {"segment_frames": 48, "chunk_frames": 8}, model="identity")
    figures = figures_in(pipeline.store.read(page_ref(pipeline)).decode())
    folders = Counter(blob.ref.name.split("/")[2] for blob in pipeline.store.list("work", "runs/film/"))
    assert folders["encoded"] == folders["timelines"] == 3  # of whole packs
    assert figures["frames"] == 48
    assert figures["writes"] == sum(n for name, n in folders.items() if not name.endswith(".json")) + 1
    assert figures["messages"] == len(pipeline.handled)
    assert figures["waits"]["chunks before they are encoded"][1] >= 0


def test_times_are_those_of_the_blobs(pipeline: Pipeline, figures: dict[str, Any]) -> None:
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs("film").report))
    created, kinds = min(pipeline.status().created, pipeline.queued["film"]), stages_of(pipeline)
    joined = report.stages["joined"]
    assert figures["seconds"] == pytest.approx((joined.ended - created).total_seconds(), abs=2e-3)
    for stage, name in (("split", "frames"), ("scored", "styled"), ("encoded", "encoded")):
        tasks = kinds[name]  # all in one process, of which every millisecond counts once
        ticks = np.zeros(round(figures["seconds"] * 1e4) + 2, bool)
        for begin, end, _, _ in tasks:
            ticks[round((begin - created).total_seconds() * 1e4) : round((end - created).total_seconds() * 1e4)] = True
        assert figures["pod_seconds"][stage] == pytest.approx(ticks.sum() / 1e4, abs=2e-4 * (len(tasks) + 5))
        width = (joined.ended - created).total_seconds() / 60
        assert sum(figures["throughput"][stage]) * width == pytest.approx(sum(task[2] for task in tasks), rel=1e-3)
    first = min(task[0] for task in kinds["frames"])
    waited = figures["waits"]["from the request to the first frame"]
    assert waited == [pytest.approx((first - created).total_seconds())] * 2
    end = max(task[1] for task in kinds["encoded"])
    assert figures["waits"]["all chunks before they are joined"][0] == pytest.approx(
        (joined.started - end).total_seconds()
    )


def test_the_cost_is_that_of_the_price_table(figures: dict[str, Any]) -> None:
    seconds, cost = figures["pod_seconds"], figures["cost"]
    assert cost["gpu"] == pytest.approx(seconds["scored"] / 3600 * 0.526, rel=1e-3)
    assert cost["cpu"] == pytest.approx(
        (seconds["planned"] + seconds["split"] + seconds["encoded"] + seconds["joined"]) / 3600 * 7, rel=1e-2
    )
    assert cost["bus"] == pytest.approx(figures["messages"] * 3 / 1e6 * 0.8)
    kept = sum(figures["bytes"].values()) * figures["seconds"] / 1e9 / (730 * 3600) * 0.0208
    assert figures["writes"] / 1e4 * 0.065 <= cost["storage"] <= figures["writes"] / 1e4 * 0.065 + kept
    assert cost["total"] == pytest.approx(cost["gpu"] + cost["cpu"] + cost["storage"] + cost["bus"])


def test_the_checks_and_the_verdict_are_those_of_the_report(pipeline: Pipeline, page: str) -> None:
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs("film").report))
    assert page.count('class="ok">agrees') == len(report.checks) == sum(check.ok for check in report.checks)
    assert f"All 48 frames are painted, and all {len(report.checks)} checks of the output agree with the input." in page


def lumas(data: bytes) -> list[Any]:
    with av.open(io.BytesIO(data)) as container:
        return [frame.to_ndarray(format="gray").astype(float) for frame in container.decode(video=0)]


def test_the_flicker_follows_the_films(pipeline: Pipeline, film: bytes, figures: dict[str, Any]) -> None:
    """The measure follows motion; the same by plain differences is larger, and orders the outputs alike."""
    plain = []
    for number, name in enumerate(("film.identity.mp4", "film.ink.mp4")):
        images = lumas(pipeline.store.read(BlobRef(container="output", name=name)))
        steps = [step for step in figures["flicker"][number] if step["after"] is not None]
        assert steps
        plain.append(np.mean([np.abs(images[s["frame"]] - images[s["frame"] - 1]).mean() for s in steps]))
    means = [np.mean([s["after"] for s in each if s["after"] is not None]) for each in figures["flicker"]]
    assert (means[0] < means[1]) == (plain[0] < plain[1])
    for step in figures["flicker"][0]:
        if step["after"] is not None:
            assert step["after"] == pytest.approx(step["before"], abs=1.5)  # identity adds what its codec adds


def test_the_preview_and_the_pictures_are_of_the_films(page: str, film: bytes) -> None:
    before, after, *_ = (base64.b64decode(text) for text in re.findall(r"data:video/mp4;base64,([^\"]+)", page))
    mine, theirs, wanted = lumas(before), lumas(after), lumas(film)
    assert len(mine) == len(theirs) > 0
    start = min(range(0, 48, 12), key=lambda first: float(np.abs(wanted[first] - mine[0]).mean()))
    for number, image in enumerate(mine):
        assert np.abs(image - wanted[start + number]).mean() < 8
    sheet = re.findall(r'alt="Frame (\d+) before" src="data:image/jpeg;base64,([^"]+)"', page)
    assert sheet
    for number, picture in sheet:
        image = cv2.imdecode(np.frombuffer(base64.b64decode(picture), np.uint8), cv2.IMREAD_GRAYSCALE)
        assert image is not None
        assert np.abs(image - wanted[int(number)]).mean() < 8


def test_the_timings_stay_when_the_frames_are_deleted(film: bytes) -> None:
    pipeline = Pipeline(segment_frames=12, stitcher={"report_page": True})
    pipeline.submit(pipeline.put("film.mp4", film), run_id="film", preset="ultrafast", batch_frames=8)
    pipeline.run()
    assert list(pipeline.store.list("work", "runs/film/frames")) == []
    tasks = Timings.decode(pipeline.store.read(pipeline.runs.blobs("film").timings)).tasks
    assert Counter(task.stage for task in tasks) == {"planned": 1, "split": 4, "scored": 8, "encoded": 4, "joined": 1}
    assert all(task.pod for task in tasks)


def test_the_output_does_not_depend_on_the_page(film: bytes) -> None:
    outputs = []
    for wanted in (False, True):
        pipeline = Pipeline(segment_frames=12, stitcher={"report_page": wanted})
        pipeline.submit(pipeline.put("film.mp4", film), run_id="film", preset="ultrafast")
        pipeline.run()
        outputs.append(pipeline.output())
    assert outputs[0] == outputs[1]


def fail(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("it is broken")


STEPS = {
    "writer.choose": "there are no pictures of output/film.picture.mp4",
    "writer.Picked._read": "there are no pictures of output/film.picture.mp4",
    "writer.sample": "there are no pictures of output/film.picture.mp4",
    "styles.shrink": None,  # the page says it
    "styles.Styles.of": "the report could not be written as a page",
    "writer.task_of_join": "the report could not be written as a page",
    "writer.tasks_of": "the report could not be written as a page",
    "page.estimate": "the report could not be written as a page",
    "timeline.rows": "the report could not be written as a page",
    "page.render": "the report could not be written as a page",
    "writer.Outputs.write_page": "the report could not be written as a page",
}
"""What can fail, with what the notes of the run then say."""


@pytest.mark.parametrize("step", STEPS)
def test_no_failure_of_the_page_fails_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    film = make_video(tmp_path / "film.mp4", size=(64, 48), pts=range(0, 12 * 512, 512), audio=None)
    monkeypatch.setattr(f"framebrush_stitcher.report.{step}", fail)
    pipeline = Pipeline(stitcher={"report_page": True}, sandbox=Sandbox(2000))
    pipeline.store.write(BlobRef(container="styles", name="one.png"), painting(1))
    pipeline.submit(
        pipeline.put("film.mp4", film.read_bytes()), run_id="film", style_images=(StyleImage(name="one.png"),)
    )
    status = pipeline.run()
    assert status.state is State.SUCCEEDED
    assert status.output
    assert pipeline.dead == []
    notes, wanted = Report.decode(pipeline.store.read(pipeline.runs.blobs("film").report)).notes, STEPS[step]
    ref = Outputs(pipeline.runs).page("film", status.output)
    page = pipeline.store.read(ref).decode() if ref else ""
    if wanted is None:
        assert notes == ()
        assert "there is no picture of the style picture: " in page
    else:
        (note,) = notes
        assert note.startswith(f"{wanted}: ")
        assert note in page or not page
        assert bool(page) == ("pictures" in wanted)


def test_frames_that_failed_are_shown(film: bytes) -> None:
    pipeline = Pipeline(segment_frames=12, stitcher={"report_page": True})
    pipeline.submit(
        pipeline.put("film.mp4", film), run_id="film", preset="ultrafast", batch_frames=8, bad_frames="hold_previous"
    )
    blobs = pipeline.runs.blobs("film")
    while not any(blob.ref.name.startswith(blobs.pack_prefix(2)) for blob in pipeline.store.list("work")):
        pipeline.step()
    (pack,) = (blob for blob in pipeline.store.list("work", blobs.pack_prefix(2)))
    offsets = pipeline.runs.timeline("film", 2).offsets[0]
    damaged = bytearray(pipeline.store.read(pack.ref))
    begin = offsets[7] + 512  # behind the header of the file: the image itself, and that of no other frame
    damaged[begin : begin + 200] = bytes(200)
    pipeline.store.write(pack.ref, bytes(damaged), metadata=pack.metadata)
    assert pipeline.run().failed_frames == 1
    page = page_of(pipeline)
    section = page[page.index("Frames that are not painted") : page.index("Where the time went")]
    assert "1 of them; policy: hold_previous." in section
    assert "The frame of the input could not be decoded." in section
    assert "<figcaption>frame 31</figcaption>" in section
    (picture,) = re.findall(r'in its place" src="data:image/jpeg;base64,([^"]+)"', section)
    shown = cv2.imdecode(np.frombuffer(base64.b64decode(picture), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert shown is not None
    assert np.abs(shown - lumas(film)[30]).mean() < 8


def test_frames_may_be_longer_than_what_is_read_at_a_time(film: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framebrush_stitcher.report.picked.CHUNK", 700)
    page = page_of(run(film, model="identity"))
    assert len(re.findall(r'alt="Frame \d+ before"', page)) == 6
    assert figures_in(page)["flicker"][0]


def test_a_page_of_others_is_left_alone(film: bytes) -> None:
    pipeline = Pipeline(segment_frames=12, stitcher={"report_page": True})
    taken = BlobRef(container="output", name="film.identity.report.html")
    pipeline.store.write(taken, b"of others")
    pipeline.submit(pipeline.put("film.mp4", film), run_id="film", preset="ultrafast")
    pipeline.run()
    assert pipeline.store.read(taken) == b"of others"
    assert re.fullmatch(r"film\.identity\.[0-9a-f]{12}\.report\.html", page_ref(pipeline).name)


def test_a_run_that_is_painted_like_pictures_names_them(film: bytes) -> None:
    pipeline = Pipeline(segment_frames=12, stitcher={"report_page": True})
    images = (StyleImage(name="one.png"), StyleImage(name="two.png", weight=0.5))
    for seed, image in enumerate(images):
        pipeline.store.write(BlobRef(container="styles", name=image.name), painting(seed))
    pipeline.submit(pipeline.put("film.mp4", film), run_id="film", preset="ultrafast", style_images=images)
    assert pipeline.run().state is State.SUCCEEDED
    page = pipeline.store.read(page_ref(pipeline)).decode()
    assert "painted like one.png and two.png=0.5" in page
    shown = re.findall(r'alt="Style picture: ([^"]*)" src="data:image/jpeg;base64,([^"]+)"', page)
    assert [caption for caption, _ in shown] == ["one.png", "two.png"]
    for seed, (_, data) in enumerate(shown):
        wanted = cv2.imdecode(np.frombuffer(painting(seed), np.uint8), cv2.IMREAD_COLOR)
        small = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert wanted is not None
        assert small is not None
        assert max(small.shape) <= 160
        scaled = cv2.resize(wanted, small.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(scaled.astype(int) - small).mean() < 8
    assert "Options: preset ultrafast." in page


def test_text_of_strangers_is_escaped(film: bytes) -> None:
    pipeline = Pipeline(segment_frames=12, stitcher={"report_page": True})
    name = "a<script>alert(1)</script>&.mp4"
    pipeline.submit(pipeline.put(name, film), run_id="film", preset="ultrafast")
    pipeline.run()
    page = pipeline.store.read(page_ref(pipeline)).decode()
    assert "<script>alert" not in page
    assert figures_in(page)["sizes"][f"input input/{name}"] == len(film)


def test_the_command_line_saves_the_page(pipeline: Pipeline, page: str, tmp_path: Path) -> None:
    connection = Connection()
    connection.__dict__ |= {"store": pipeline.store, "runs": pipeline.runs, "sees_runs": True}
    get.get.__wrapped__(connection, "film", output=f"{tmp_path}/new/", report=True)  # type: ignore[attr-defined]
    assert (tmp_path / "new" / "film.identity.report.html").read_text() == page
    pipeline.runs.create(pipeline.status().model_copy(update={"run_id": "other", "output": None}))
    with pytest.raises(CommandFailed, match="other has no report"):
        get.page_of(connection, "other")
    pipeline.store.delete([pipeline.runs.blobs("other").status])


def test_a_pod_with_several_messages_in_hand_counts_once(pipeline: Pipeline) -> None:
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs("film").report))
    task, *_ = Timings.decode(pipeline.store.read(pipeline.runs.blobs("film").timings)).tasks
    start, second = report.stages["split"].started, timedelta(seconds=1)
    tasks = [
        task.model_copy(update={
            "stage": "scored", "pod": pod, "started": start + a * second, "ended": start + b * second,
        })
        for pod, a, b in (("a", 0, 4), ("a", 1, 3), ("a", 6, 7), ("b", 2, 5))
    ]  # fmt: skip
    assert Figures(report, tasks, start, {}).pod_seconds("scored") == pytest.approx(4 + 1 + 3)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM:
        pytest.skip("needs Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def until(tab: Any, condition: str) -> None:
    """Wait for a condition. The policy of the page forbids what Playwright's own wait does."""
    for _ in range(200):
        if tab.evaluate(condition):
            return
        tab.wait_for_timeout(50)
    pytest.fail(condition)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1000), ("dark", 1000), ("light", 390)])
def test_the_page_works_in_a_browser(page: str, tmp_path: Path, browser: Any, scheme: str, width: int) -> None:
    path, told = tmp_path / "page.html", list[str]()
    path.write_text(page)
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    tab.on("console", lambda message: told.append(message.text))
    tab.on("pageerror", lambda error: told.append(str(error)))
    tab.on("request", lambda request: told.extend([request.url] * (not request.url.startswith(("file:", "data:")))))
    tab.goto(path.as_uri())
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    results = tab.locator(".checks td.ok")  # They are seen without scrolling, and in one line.
    for number in range(results.count()):
        place = results.nth(number).bounding_box()
        assert place["x"] + place["width"] <= width
        assert results.nth(number).evaluate("cell => cell.scrollWidth <= cell.clientWidth")
    background = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 384) == (scheme == "dark")

    charts = tab.locator("[data-chart]")
    assert charts.count() == 2 + 3 + 2
    for number in range(charts.count()):
        chart = charts.nth(number)
        assert chart.get_attribute("aria-label")
        boxes = chart.locator("[data-mark]").evaluate_all(
            "marks => marks.map(m => m.getBBox()).filter(b => b.width > 0)"
        )
        assert boxes, chart.get_attribute("data-chart")

    player, divider = tab.locator("[data-player]").first, tab.get_by_role("slider").first
    place = "node => node.querySelector('.divider').getBoundingClientRect().x"
    before = player.evaluate(place)
    divider.focus()
    tab.keyboard.press("Home")
    assert player.evaluate(place) < before
    assert divider.get_attribute("aria-valuenow") == "0"
    for key, value in (("ArrowRight", 1), ("PageUp", 11), ("ArrowLeft", 10), ("PageDown", 0), ("End", 100)):
        tab.keyboard.press(key)
        assert divider.get_attribute("aria-valuenow") == str(value)
    assert divider.get_attribute("aria-valuetext") == "100 % before, 0 % after"
    box = player.locator(".player").bounding_box()
    tab.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 20)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 20, steps=3)
    tab.mouse.up()
    assert player.evaluate(place) == pytest.approx(box["x"] + box["width"] * 0.8, abs=4)

    videos = "[...document.querySelectorAll('[data-player] video')].slice(0, 2)"
    player.get_by_role("button", name="Play").click()
    until(tab, f"{videos}.every(video => video.currentTime > 0.1)")
    player.get_by_role("button", name="Pause").click()
    until(tab, f"{videos}.every(video => video.paused)")
    assert told == []
    tab.close()
