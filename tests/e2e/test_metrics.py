"""What the services count, the dashboard and the alerts, over the Prometheus that watched the cold run."""

import json
import math
import re
import time
import urllib.request
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from support.cluster import NAMESPACE, PROMETHEUS, STAGES, Cluster
from support.dashboard import draw, legend
from support.journey import Journey
from support.panels import Query, dashboards, queries
from support.rules import alerts

pytestmark = [pytest.mark.core, pytest.mark.timeout(300)]

SCRAPE = 5.0
"""Seconds between two scrapes: k8s/prometheus."""
ALERTS = alerts()
PANELS = list(queries(NAMESPACE, window="1m", span=600))


@dataclass(frozen=True)
class Window:
    """A stretch of time, in Unix time."""

    start: float
    end: float


def ask(path: str, **parameters: object) -> list[dict[str, Any]]:
    """What Prometheus answers to a query: series with ``values``, or with one ``value``."""
    url = f"http://127.0.0.1:{PROMETHEUS}/api/v1/{path}?{urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        document = json.load(answer)
    assert document["status"] == "success"
    assert not document.get("warnings"), document["warnings"]
    return list(document["data"]["result"])


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


def test_panels_show_the_run(window: Window, results: Path) -> None:
    """Not only something, but what happened: peaks, as a person would read them off."""
    answers = {
        query: ask("query_range", query=query.expression, start=window.start, end=window.end, step=SCRAPE)
        for query in PANELS
    }
    for name, board in dashboards().items():
        draw(board, PANELS, answers.__getitem__, results / f"dashboard-{Path(name).stem}.png")
    peaks = dict[str, float]()
    for query, answer in answers.items():
        for series in answer:
            values = [float(value) for _, value in series["values"] if math.isfinite(float(value))]
            name = f"{query.panel}: {legend(query.legend, series['metric'])}".removesuffix(": ")
            peaks[name] = max(values, default=0.0)
    assert peaks["Active runs"] == 1
    assert 0 < peaks["Cost"] < peaks["Cost per hour now"]
    for stage in STAGES:
        assert peaks[f"Replicas: {stage}"] >= 1
        assert peaks[f"CPU: {stage}"] > 0
    assert peaks["Frames per second: scorer"] > 0
    for stage in rising(window):
        assert peaks[f"Frames per second: {stage}"] > 0
    assert peaks["Queue depth: batches"] >= 1
    assert peaks["Messages per second: batches"] > 0
    assert 0.1 < peaks["GPU busy: default"] <= 1.1
    assert peaks["Batch latency: p50"] <= peaks["Batch latency: p99"]
    for panel, peak in peaks.items():
        if panel.startswith(("Dead letters", "Runs failed")):
            assert peak == 0, panel


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
