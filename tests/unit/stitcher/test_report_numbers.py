"""Every figure that a person sees in the report, computed again from the blobs of the run."""

import re
from datetime import datetime
from statistics import median
from typing import Any

import pytest
from support.pages import UNITS, amount, figures_in, page_of, run, shown
from support.pipeline import Pipeline

from framebrush.contracts import BlobRef, Report, Timings
from framebrush.errors import Unavailable
from framebrush.storage import MemoryStore
from framebrush_stitcher.report.figures import Figures
from framebrush_stitcher.report.timeline import gantt, rows
from framebrush_stitcher.report.waits import queue_of

FOLDERS = {"frames": "split", "styled": "scored", "encoded": "encoded"}
NAMES = {"planned": "planned", "split": "decoded", "scored": "painted", "encoded": "encoded", "joined": "joined"}


def near(text: str, value: float) -> bool:
    """Whether a text says a value: half of its last digit is what it may differ by, and a little for rounding twice."""
    number, unit = text.split()[-2:] if " " in text else (text, "")
    digits = len(number.partition(".")[2])
    return amount(text) == pytest.approx(value, abs=0.6 * 10**-digits * UNITS.get(unit, 1.0))


def works(pipeline: Pipeline) -> dict[str, list[dict[str, Any]]]:
    """What is recorded of each piece of work, by its stage, from the blobs of the run and their names."""
    found: dict[str, list[dict[str, Any]]] = {stage: [] for stage in NAMES}
    firsts = {number: 12 * number for number in range(4)}
    for blob in pipeline.store.list("work", "runs/film/"):
        folder, _, name = blob.ref.name.removeprefix("runs/film/").partition("/")
        stage = "planned" if folder == "manifest.json" else FOLDERS.get(folder.partition(".")[0])
        if stage is None:
            continue
        times = {key: datetime.fromisoformat(blob.metadata[key]) for key in ("started", "ended", "queued", "taken")}
        segment, range_ = int(name[:6]) if name else 0, re.search(r"(\d{8})-(\d+)\.tar$", name)
        frames = int(range_[2]) if range_ else 48 if stage == "planned" else 12
        first = firsts[segment] + (int(range_[1]) if range_ else 0)
        facts = {"frames": frames, "first": first, "size": blob.size, "folder": folder}
        found[stage].append(blob.metadata | facts | times)
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs("film").report))
    join = report.stages["joined"]
    found["joined"].append({"started": join.started, "ended": join.ended, "frames": 48})
    return found


def covered(works: list[dict[str, Any]], begin: str = "started", end: str = "ended") -> float:
    """Seconds in which at least one of these was going on."""
    total, until = 0.0, datetime.min.replace(tzinfo=works[0][begin].tzinfo)
    for work in sorted(works, key=lambda work: work[begin]):
        total += max(0.0, (work[end] - max(until, work[begin])).total_seconds())
        until = max(until, work[end])
    return total


def began(pipeline: Pipeline) -> datetime:
    return pipeline.queued["film"]


def test_the_figures_at_the_top(pipeline: Pipeline, page: str, figures: dict[str, Any]) -> None:
    tiles, _ = shown(page)
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs("film").report))
    seconds = (report.stages["joined"].ended - began(pipeline)).total_seconds()
    assert tiles["frames"] == "48"
    assert near(tiles["film"], report.duration)
    assert near(tiles["run"], seconds)
    assert float(tiles["speed"].removesuffix(" frames/s")) == pytest.approx(48 / seconds, abs=0.051)
    cost, currency = tiles["cost, estimated"].split()
    assert float(cost) == pytest.approx(figures["cost"]["total"], rel=0.06)
    assert currency == "USD"


def test_the_table_of_the_stages(pipeline: Pipeline, page: str) -> None:
    table = {row[0]: row[1:] for row in shown(page)[1]["Stages"]}
    assert list(table) == list(NAMES.values())
    for stage, pieces in works(pipeline).items():
        begin, end, work, busy = table[NAMES[stage]]
        assert near(begin, (min(each["started"] for each in pieces) - began(pipeline)).total_seconds())
        assert near(end, (max(each["ended"] for each in pieces) - began(pipeline)).total_seconds())
        assert near(work, covered(pieces))
        assert near(busy, sum((each["ended"] - each["started"]).total_seconds() for each in pieces))


def test_the_table_of_the_queues(pipeline: Pipeline, page: str) -> None:
    table = {row[0]: row[1:] for row in shown(page)[1]["In the queues"]}
    assert list(table) == list(NAMES.values())
    for stage, pieces in works(pipeline).items():
        if stage == "joined":
            continue
        messages = {(each["queued"], each["taken"]) for each in pieces}
        waits = [(taken - queued).total_seconds() for queued, taken in messages]
        count, middle, longest, again, first = table[NAMES[stage]]
        assert int(count) == len(messages)
        assert near(middle, median(waits))
        assert near(longest, max(waits))
        assert again == "0"
        came, taken = re.findall(r"at ([\d.]+ m?s)", first)
        assert near(came, (min(queued for queued, _ in messages) - began(pipeline)).total_seconds())
        assert near(taken, (min(taken for _, taken in messages) - began(pipeline)).total_seconds())
        assert first.endswith("a pod was up")


def test_messages_are_those_that_were_handled(pipeline: Pipeline, page: str) -> None:
    table = {row[0]: int(row[1]) for row in shown(page)[1]["In the queues"]}
    handled = [type(message).__name__ for message in pipeline.handled]
    kinds = {"planned": "RunRequest", "decoded": "SegmentPlanned", "painted": "BatchReady"}
    kinds |= {"encoded": "SegmentScored", "joined": "RunEncoded"}
    assert table == {name: handled.count(kind) for name, kind in kinds.items()}


def test_the_table_of_waiting(pipeline: Pipeline, page: str) -> None:
    found = works(pipeline)

    def seconds(earlier: datetime, later: datetime) -> float:
        return max(0.0, (later - earlier).total_seconds())

    packs = {frame: each for each in found["split"] for frame in range(each["first"], each["first"] + each["frames"])}
    batches = [each for each in found["scored"] if each["folder"] == "styled"]
    chunks = list[float]()
    for chunk in found["encoded"]:
        kind, end = chunk["folder"].replace("encoded", "styled"), chunk["first"] + chunk["frames"]
        its = [each for each in found["scored"] if each["folder"] == kind and chunk["first"] <= each["first"] < end]
        chunks.append(seconds(max(each["ended"] for each in its), chunk["started"]))
    last = max(each["ended"] for each in found["encoded"])
    waits = {
        "from the request to the first frame": [seconds(began(pipeline), min(e["started"] for e in found["split"]))],
        "frames before they are scored": [seconds(packs[e["first"]]["ended"], e["started"]) for e in batches],
        "chunks before they are encoded": chunks,
        "all chunks before they are joined": [seconds(last, found["joined"][0]["started"])],
    }
    table = {row[0]: row[1:] for row in shown(page)[1]["Waiting"]}
    assert table.keys() == waits.keys()
    for name, values in waits.items():
        assert near(table[name][0], median(values))
        assert near(table[name][1], max(values))


def test_the_slowest_and_the_time_per_frame(pipeline: Pipeline, page: str) -> None:
    found = works(pipeline)
    pieces = [
        ((each["ended"] - each["started"]).total_seconds() / each["frames"], stage, each)
        for stage in FOLDERS.values()
        for each in found[stage]
    ]
    pieces.sort(key=lambda piece: -piece[0])
    table = shown(page)[1]["The slowest pieces of work"]
    assert len(table) == 10
    for (name, frames, each, pod), (seconds, stage, piece) in zip(table, pieces, strict=False):
        assert near(each, seconds)
        assert name == NAMES[stage]
        assert frames == f"{piece['first']} to {piece['first'] + piece['frames'] - 1}"
        assert pod == piece["pod"]
    for stage in FOLDERS.values():
        times = sorted(seconds for seconds, each, _ in pieces if each == stage)
        told = re.search(rf"{NAMES[stage]}: median ([\d.]+ m?s), 90 % below ([\d.]+ m?s), (\d+) pieces", page)
        assert told
        assert near(told[1], times[len(times) // 2])
        assert near(told[2], times[int(0.9 * len(times))])
        assert int(told[3]) == len(times)


def test_bytes_and_operations(pipeline: Pipeline, page: str, figures: dict[str, Any]) -> None:
    table = {row[0]: row[1] for row in shown(page)[1]["Bytes and operations"]}
    found = works(pipeline)
    for stage in FOLDERS.values():
        size = sum(each["size"] for each in found[stage])
        assert near(table[f"{NAMES[stage]} frames, deleted when the run has ended"], size)
    for container, name in (("input", "film.mp4"), ("output", "film.identity.mp4"), ("output", "film.ink.mp4")):
        ref = BlobRef(container=container, name=name)
        assert near(table[f"{container} {ref}"], len(pipeline.store.read(ref)))
    assert int(table["messages, if none came twice"]) == len(pipeline.handled) == figures["messages"]
    assert int(table["blobs written, without statuses and plans"]) == figures["writes"]


def test_the_table_of_the_cost(page: str, figures: dict[str, Any]) -> None:
    table = {row[0]: row[1:] for row in shown(page)[1]["Cost"]}
    for name, key in (("GPU", "gpu"), ("CPU", "cpu"), ("storage", "storage"), ("bus", "bus"), ("all", "total")):
        here, thousand = map(float, table[name])
        assert here == pytest.approx(figures["cost"][key], rel=0.06, abs=6e-7)
        assert thousand == pytest.approx(figures["cost"][key] * 1000 / 48, rel=0.06, abs=6e-7)


def test_flicker_and_throughput_in_words(pipeline: Pipeline, page: str, figures: dict[str, Any]) -> None:
    told = re.findall(r"</span>before, mean ([\d.]+)<.*?</span>after, mean ([\d.]+)\.", page, re.DOTALL)
    assert len(told) == 2
    for means, steps in zip(told, figures["flicker"], strict=True):
        for mean, key in zip(means, ("before", "after"), strict=True):
            values = [step[key] for step in steps if step[key] is not None]
            assert float(mean) == pytest.approx(sum(values) / len(values), abs=0.006)
    for stage in FOLDERS.values():
        most = re.search(rf"{NAMES[stage]}, at most (\d+\.\d)", page)
        assert most
        assert float(most[1]) == pytest.approx(max(figures["throughput"][stage]), abs=0.051)


def test_another_attempt_is_marked(film: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    read, refused = MemoryStore.read, list[str]()

    def flaky(self: MemoryStore, ref: BlobRef, *arguments: Any, **options: Any) -> bytes:
        if "/frames/" in ref.name and not refused:
            refused.append(ref.name)
            raise Unavailable("storage is away")
        return read(self, ref, *arguments, **options)

    monkeypatch.setattr(MemoryStore, "read", flaky)
    pipeline = run(film, model="identity")
    page = page_of(pipeline)
    assert refused
    table = {row[0]: row[1:] for row in shown(page)[1]["In the queues"]}
    assert [name for name, row in table.items() if row[3] == "1"] == ["painted"]
    assert page.count("data-again") == 1
    assert "<title>attempt 2</title>" in page


def test_a_pod_that_was_started_for_the_run_is_shown(pipeline: Pipeline) -> None:
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs("film").report))
    tasks = Timings.decode(pipeline.store.read(pipeline.runs.blobs("film").timings)).tasks
    first = min(task.taken for task in tasks if task.stage == "scored" and task.taken)
    cold = [
        task.model_copy(update={"up": first, "pod": "scorer-0"}) if task.stage == "scored" else task for task in tasks
    ]
    figures = Figures(report, cold, pipeline.status().created, {})
    queue, begin = queue_of(figures, "scored"), figures.at(first)
    assert queue
    assert queue.cold
    assert queue.came < begin == queue.taken
    assert figures.starts("scored") == {"scorer-0": (begin, begin)}
    (row,) = (row for row in rows(figures) if row.kind == "pod" and row.stage == "scored")
    assert row.start == [(begin, begin)]
    assert gantt(figures)["has"] == {"queue": True, "start": True, "again": False}
    warm = queue_of(Figures(report, tasks, pipeline.status().created, {}), "scored")
    assert warm
    assert not warm.cold


def test_records_of_an_earlier_release_have_no_queues(pipeline: Pipeline) -> None:
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs("film").report))
    tasks = Timings.decode(pipeline.store.read(pipeline.runs.blobs("film").timings)).tasks
    old = [
        task.model_copy(update={"up": None, "queued": None, "taken": None})
        for task in tasks
        if task.stage in FOLDERS.values()
    ]
    figures = Figures(report, old, pipeline.status().created, {})
    assert all(queue_of(figures, stage) is None for stage in NAMES)
    assert [row.stage for row in rows(figures)] == ["split", "scored", "encoded", "joined"]
    assert figures_in(page_of(pipeline))["pod_seconds"]["joined"] == pytest.approx(
        figures.pod_seconds("joined"), abs=1e-3
    )
