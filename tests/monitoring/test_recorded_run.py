"""Every query of the dashboards in a real Prometheus, over all samples of a run in kind; and the pictures of it."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from support.dashboard import Answers, over, peaks
from support.panels import Query, dashboards, prices, queries
from support.prometheus import SCRAPE, Prometheus, Recording, Series, record, replayed
from support.tools import tool

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
RUN = Recording.read(HERE / "cold-run.json.gz")
PICTURES = ROOT / "tests" / "tools" / "pictures.py"
SPAN = math.ceil(RUN.end - RUN.start)
QUERIES = list(queries("framebrush", span=SPAN))
FRAMES = 264
OPERATORS, THROUGHPUT = "operators.json", "throughput.json"

CARD = {"DCGM_FI_DEV_GPU_UTIL": 93, "DCGM_FI_DEV_FB_USED": 2048, "DCGM_FI_DEV_POWER_USAGE": 66.5}
CARD |= {"DCGM_FI_DEV_GPU_TEMP": 71, "DCGM_FI_DEV_XID_ERRORS": 79}
OWNERS = {
    "kept": {"namespace": "framebrush", "pod": "framebrush-scorer-0"},
    "renamed": {"namespace": "gpu-operator", "exported_namespace": "framebrush", "exported_pod": "framebrush-scorer-1"},
    "foreign": {"namespace": "gpu-operator", "exported_namespace": "another", "exported_pod": "training-0"},
}
"""Labels of a card by its node: of a scraper that keeps those of the exporter, of one that renames them, and those of a
card that belongs to somebody else."""


def cards() -> Series:
    """What dcgm-exporter tells of one card in each of three nodes."""
    times = [RUN.start + SCRAPE * step for step in range(int(SPAN / SCRAPE))]
    return [
        {
            "metric": {"__name__": name, "gpu": "0", "modelName": "Tesla T4", "Hostname": node, **labels},
            "values": [[when, str(value)] for when in times],
        }
        for name, value in CARD.items()
        for node, labels in OWNERS.items()
    ]


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    for program in ("prometheus", "promtool"):
        tool(program)
    with replayed([*RUN.samples, *cards()]) as prometheus:
        yield prometheus


@pytest.fixture(scope="module")
def answers(prometheus: Prometheus) -> Answers:
    return over(prometheus, QUERIES, RUN.start, RUN.end)


def at_the_end(answers: Answers, panel: str) -> float:
    """The number of a panel at the end of the run."""
    [[series]] = [answer for query, answer in answers.items() if query.panel == panel]
    return float(series["values"][-1][1])


def last(name: str, **labels: str) -> float:
    """The last value of each pod's counter, added up; ``labels`` are regular expressions."""
    return sum(
        float(series["values"][-1][1])
        for series in RUN.samples
        if series["metric"]["__name__"] == name
        and all(re.fullmatch(wanted, series["metric"][label]) for label, wanted in labels.items())
    )


def pod_hours(*stages: str) -> float:
    """How long pods of these stages were seen, in hours: from the first scrape to one scrape after the last."""
    seen = [
        series["values"]
        for series in RUN.samples
        if series["metric"]["__name__"] == "framebrush_frames_in_total" and series["metric"]["service"] in stages
    ]
    return sum(values[-1][0] - values[0][0] + SCRAPE for values in seen) / 3600


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.panel}: {query.legend}")
def test_every_query_has_an_answer(answers: Answers, query: Query) -> None:
    found = answers[query]
    values = [float(value) for series in found for _, value in series["values"]]
    assert any(math.isfinite(value) for value in values), f"{query.panel} is empty: {query.expression}"
    for label in re.findall(r"{{(\w+)}}", query.legend):
        assert all(series["metric"].get(label) for series in found), f"{query.panel}: no label {label} in {found[:2]}"


def test_what_happened_can_be_read_off(answers: Answers) -> None:
    assert at_the_end(answers, "How many runs succeeded?") == 1
    assert at_the_end(answers, "How many runs failed?") == 0
    assert at_the_end(answers, "How many messages became dead letters?") == 0
    assert at_the_end(answers, "How many frames were delivered?") == FRAMES
    assert at_the_end(answers, "How many scorers are up?") == 0
    seen = peaks(answers, OPERATORS)
    assert seen["How many pods does each stage have?: scorer"] == 4
    assert seen["On which pools of nodes do scorers run?: default"] == 4
    waiting = max(
        float(value)
        for series in RUN.samples
        if series["metric"].get("metric") == "s0-azure-servicebus-batches"
        and series["metric"]["__name__"] == "keda_scaler_metrics_value"
        for _, value in series["values"]
    )
    assert seen["How many messages wait in each queue?: batches"] == waiting > 0


def test_costs_are_those_of_the_samples(answers: Answers) -> None:
    """Recomputed without PromQL. The boards count pods every 15 s, so that a pod's time is known to some seconds."""
    price = {name: float(value) for name, value in prices(dashboards()[THROUGHPUT]).items()}
    expected = (
        price["price_scorer_hour"] * pod_hours("scorer")
        + price["price_cpu_hour"] * pod_hours("splitter", "dispatcher", "stitcher", "learner")
        + price["price_writes"] * last("framebrush_blob_requests_total", operation="write|list") / 10_000
        + price["price_operations"] * 3 * last("framebrush_messages_total") / 1_000_000
    )
    assert at_the_end(answers, "What did the time range cost?") == pytest.approx(expected, rel=0.05)
    assert at_the_end(answers, "What did 1,000 frames cost?") == pytest.approx(expected / FRAMES * 1000, rel=0.05)
    share = last("framebrush_model_seconds_total") / (pod_hours("scorer") * 3600)
    assert at_the_end(answers, "How much of the scorers' time was the model at work?") == pytest.approx(share, rel=0.05)


def test_cards_are_shown_however_they_are_scraped(answers: Answers) -> None:
    shown = peaks({query: answer for query, answer in answers.items() if query.needs_gpu}, OPERATORS)
    expected = {
        "How busy is each GPU?": 0.93,
        "How much memory of each GPU is used?": 2**31,
        "How much power does each GPU draw?": 66.5,
        "How hot is each GPU?": 71,
        "Has a GPU reported an error?": 79,
    }
    assert shown == {f"{panel}: {node} 0": value for panel, value in expected.items() for node in ("kept", "renamed")}


def test_a_recording_is_what_was_recorded(prometheus: Prometheus, tmp_path: Path) -> None:
    again = record(prometheus, RUN.start, RUN.end)
    again.write(tmp_path / "run.json.gz")

    def samples(series: Series) -> dict[str, dict[float, float]]:
        return {
            json.dumps(each["metric"], sort_keys=True): {when: float(value) for when, value in each["values"]}
            for each in series
        }

    assert samples(Recording.read(tmp_path / "run.json.gz").samples) == samples(RUN.samples)


def test_pictures_of_the_documents_are_up_to_date(prometheus: Prometheus, tmp_path: Path) -> None:
    subprocess.run([sys.executable, PICTURES, "--folder", tmp_path], check=True, timeout=200)
    for name in dashboards():
        file = f"dashboard-{Path(name).stem}.png"
        assert (tmp_path / file).stat().st_size < 300_000
        with Image.open(tmp_path / file) as made, Image.open(ROOT / "docs" / "images" / file) as kept:
            assert made.size == kept.size
            assert made.info["Source"] == kept.info["Source"], "run `make pictures`"
            assert len(made.convert("RGB").getcolors(2**24) or []) > 100, "nothing is drawn"
