"""What the services count, the dashboards and the alerts, over the Prometheus that watched the cold run."""

import math
import re
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.cluster import NAMESPACE, PROMETHEUS, STAGES, Cluster
from support.dashboard import draw, over, peaks
from support.journey import Journey
from support.panels import Query, dashboards, queries
from support.prometheus import SCRAPE, Prometheus, Series, record
from support.rules import alerts

pytestmark = [pytest.mark.core, pytest.mark.timeout(300)]

ALERTS = alerts()
PANELS = [query for query in queries(NAMESPACE, window="1m", span=600) if not query.needs_gpu]
OPERATORS, THROUGHPUT = "operators.json", "throughput.json"
WATCHER = Prometheus(f"http://127.0.0.1:{PROMETHEUS}")


@dataclass(frozen=True)
class Window:
    """A stretch of time, in Unix time."""

    start: float
    end: float


def ask(path: str, **parameters: object) -> Series:
    """What the Prometheus in the cluster answers."""
    return WATCHER.ask(path, **parameters)


@pytest.fixture(scope="module")
def window(cluster: Cluster, cold: Journey) -> Window:
    """From the beginning of the cold run until the last scrape of what it counted."""
    status = cluster.runs.status(cold.run_id)
    assert status.ended is not None

    end = status.ended.timestamp() + 2 * SCRAPE
    cluster.wait("a scrape after the cold run", lambda: time.time() > end, 60)
    return Window(status.created.timestamp(), end)


@pytest.fixture(scope="module")
def pods(window: Window) -> dict[str, list[list[tuple[float, float]]]]:
    """By stage, of every pod that there was in the cold run: when it was scraped, and when its process began."""
    seconds = math.ceil(window.end - window.start + 120)
    selector = f'process_start_time_seconds{{namespace="{NAMESPACE}", service=~"{"|".join(STAGES)}"}}'
    found = dict[str, list[list[tuple[float, float]]]]()
    for series in ask("query", query=f"{selector}[{seconds}s]", time=window.end):
        scrapes = [(when, float(began)) for when, began in series["values"]]
        if scrapes[-1][0] > window.start:
            found.setdefault(series["metric"]["service"], []).append(scrapes)
    return found


def rising(window: Window) -> set[str]:
    """Stages with a pod that counted frames between two scrapes of it; of other work no rate can tell."""
    seconds = math.floor((window.end - window.start) / SCRAPE) * SCRAPE  # until the last point of a panel
    counts = f'framebrush_frames_out_total{{namespace="{NAMESPACE}"}}[{seconds:.0f}s]'
    found = ask("query", query=counts, time=window.start + seconds)
    return {each["metric"]["service"] for each in found if float(each["values"][-1][1]) > float(each["values"][0][1])}


@pytest.mark.parametrize("way", ["in", "out"])
def test_no_frame_is_lost_or_done_twice(cold: Journey, window: Window, way: str) -> None:
    """Summed over pods that exist no longer: each was read once more after its last message."""
    seconds = math.ceil(cold.over - window.start)
    counts = f'max_over_time(framebrush_frames_{way}_total{{namespace="{NAMESPACE}"}}[{seconds}s])'
    found = ask("query", query=f"sum by (service) ({counts})", time=cold.over)
    frames = {each["metric"]["service"]: float(each["value"][1]) for each in found}
    assert {stage: frames[stage] for stage in ("splitter", "scorer", "stitcher")} == dict.fromkeys(
        ("splitter", "scorer", "stitcher"), 264.0
    ), frames


@pytest.mark.parametrize("query", PANELS, ids=lambda query: f"{query.panel}: {query.legend}")
def test_every_panel_has_something_to_show(window: Window, query: Query) -> None:
    found = ask("query_range", query=query.expression, start=window.start, end=window.end, step=SCRAPE)
    values = [float(value) for series in found for _, value in series["values"]]
    assert any(math.isfinite(value) for value in values), f"{query.panel} is empty: {query.expression}"
    for label in re.findall(r"{{(\w+)}}", query.legend):
        assert all(series["metric"].get(label) for series in found), f"{query.panel}: no label {label} in {found[:2]}"


def test_the_run_is_kept_for_pictures(cold: Journey, window: Window, results: Path) -> None:
    """``make pictures`` draws the dashboards for the documents from it."""
    kept = record(WATCHER, window.start, max(window.end, cold.over + 2 * SCRAPE))
    assert kept.samples
    kept.write(results / "cold-run.json.gz")


def test_panels_show_the_run(window: Window, results: Path) -> None:
    """Not only something, but what happened."""
    answers = over(WATCHER, PANELS, window.start, window.end)
    for name, board in dashboards().items():
        own = {query: answer for query, answer in answers.items() if query.dashboard == name}
        draw(board, own, results / f"dashboard-{Path(name).stem}.png")
    seen = peaks(answers, OPERATORS)
    assert seen["How many runs are active?"] == 1
    for stage in STAGES:
        assert seen[f"How many pods does each stage have?: {stage}"] >= 1
        assert seen[f"How many processor cores does each stage use?: {stage}"] > 0
    assert seen["How many messages wait in each queue?: batches"] >= 1
    assert seen["How many messages per second are completed?: batches"] > 0
    batch = "How long does a batch take in a scorer?"
    whole = 60 + seen[f"{batch}: p99"]  # a batch is counted when it ends, so a minute may hold time from before it
    assert 0.1 < seen["What share of the time is the model at work?: default"] <= 1.1 * whole / 60
    assert seen[f"{batch}: p50"] <= seen[f"{batch}: p99"]
    wrong = ("How many dead letters", "How many messages became", "How many runs failed")
    for panel, peak in seen.items():
        if panel.startswith(wrong):
            assert peak == 0, panel

    seen = peaks(answers, THROUGHPUT)
    assert seen["How many frames were delivered?"] >= 264
    assert 0 < seen["What did the time range cost?"] < seen["What does an hour cost now?"]
    assert seen["How many frames per second does each stage give out?: scorer"] > 0
    for stage in rising(window):
        assert seen[f"How many frames per second does each stage give out?: {stage}"] > 0


def test_every_service_was_scraped_all_the_time(
    window: Window, pods: dict[str, list[list[tuple[float, float]]]]
) -> None:
    assert pods.keys() == set(STAGES)
    for stage, each in pods.items():
        for scrapes in each:
            first, began = scrapes[0]
            assert first - began < 30 or first < window.start, (
                f"{stage}: first scraped {first - began:.0f} s after its start"
            )
            gaps = [later - earlier for (earlier, _), (later, _) in pairwise(scrapes)]
            assert max(gaps, default=0) < 6 * SCRAPE, f"{stage}: not scraped for {max(gaps):.0f} s"


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_alerts_can_be_evaluated_and_are_silent(window: Window, alert: Any) -> None:
    """In a run in which nothing goes wrong; those that wait before they fire may be on their way."""
    found = ask("query_range", query=alert.expression, start=window.start, end=window.end, step=SCRAPE)
    ours = [series for series in found if series["metric"].get("namespace") == NAMESPACE]
    if not alert.waits:
        assert ours == []


def test_alerts_look_at_what_exists(window: Window) -> None:
    """An alert that is silent because it asks for nothing that there is would be silent for ever."""
    for alert in ALERTS:
        for name in alert.names:
            found = ask("query", query=f"count(last_over_time({name}[30m]))", time=window.end)
            assert found, f"{alert.name}: there is no {name}"


def test_the_run_was_counted_when_it_ended(window: Window) -> None:
    seconds = math.ceil(window.end - window.start)
    expression = f'sum by (state) (max_over_time(framebrush_runs_ended_total{{namespace="{NAMESPACE}"}}[{seconds}s]))'
    found = ask("query", query=expression, time=window.end)
    assert {series["metric"]["state"]: series["value"][1] for series in found} == {"succeeded": "1", "failed": "0"}
