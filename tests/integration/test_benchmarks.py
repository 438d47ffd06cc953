"""Every benchmark that a document names, in the small: that it runs, and that its figures come out. None is judged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.video import make_video

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SERVICES = {"splitter", "dispatcher", "scorer", "stitcher"}


def run(*command: str) -> str:
    variables = os.environ | {"PYTHONPATH": "tests"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=variables, timeout=850, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)  # a minute where nothing else runs: services are started a dozen times
def test_make_bench(tmp_path: Path) -> None:
    run("make", "bench", f"OPTIONS=--smoke --repeat 1 --output {tmp_path}")
    found = json.loads((tmp_path / "benchmarks.json").read_text())
    assert found["frames"] == found["identity"]["counted frames"] == 5
    assert found["stages identity"].keys() == SERVICES
    for stage in found["stages identity"].values():
        assert min(stage["startup"], stage["cpu"], stage["memory"]) > 0
    whole, counts = found["identity"], found["identity"]["counts"]
    assert min(whole["ratio"], whole["cpu ratio"]) > 0
    assert whole["cpu by part"].keys() == SERVICES | {"azurite", "broker"}
    assert min(counts["messages"], counts["storage write"], counts["storage read"]) > 0
    assert counts["bytes written"] > 100_000
    assert found["memory"]["films"]["1 times"].keys() == SERVICES
    assert found["lengths"]["begin"].keys() == {"plan", "join"}
    page = (tmp_path / "benchmarks.md").read_text()
    assert "| requests to storage: list |" in page
    assert "{" not in page.partition("## What was tried")[0]


def test_make_bench_compare(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4", pts=range(0, 5 * 512, 512))
    options = f"OPTIONS=--video {film} --turns 1 --times 1 --output {tmp_path}"
    run("make", "bench-compare", "BEFORE=HEAD", options)
    found = json.loads((tmp_path / "benchmarks.json").read_text())["compared"]
    assert found["before_seconds"].keys() == found["after_seconds"].keys() == {"plan", "decode", "encode", "join"}
    assert "`make bench-compare BEFORE=HEAD`" in (tmp_path / "benchmarks.md").read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_make_bench_peers(tmp_path: Path) -> None:
    run("make", "bench-peers", f"OPTIONS=--frames 5 --output {tmp_path}")
    found = json.loads((tmp_path / "benchmarks.json").read_text())["peers"]
    assert found["seconds"].keys() == {"framebrush", "reference", "script", "ray"}
    assert found["frames"] == 5
    assert "| Ray Data with onnxruntime" in (tmp_path / "benchmarks.md").read_text()


def test_lengths() -> None:
    said = run(sys.executable, "tests/bench/lengths.py", "--frames", "5", "10")
    assert "join: " in said
    assert "of CPU for a frame" in said


def test_pages(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4", pts=range(0, 5 * 512, 512))
    said = run(sys.executable, "tests/bench/pages.py", "--video", str(film), "--times", "1")
    assert "the report adds " in said
    assert "MB with it" in said


def test_packs(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4", size=(128, 96), pts=range(0, 5 * 512, 512), audio=None)
    table = run(sys.executable, "tests/bench/packs.py", str(film))
    assert "| **PNG** (Up, Huffman only) |" in table
    assert "| the packs alone: JPEG 95, lossless RGB |" in table


def test_gpu(tmp_path: Path) -> None:
    """Without a GPU. That its bytes are the same each time is what this one judges."""
    path = tmp_path / "gpu.json"
    options = ["--device", "cpu", "--sizes", "64x48", "--batches", "1", "--seconds", "0.01", "--frames", "10"]
    run(sys.executable, "tests/bench/gpu.py", *options, "--batch", "5", "--json", str(path))
    rows = json.loads(path.read_text())["rows"]
    whole = [row for row in rows if row["part"] == "whole"]
    assert min(row["frames/s"] for row in whole) > 0
    assert len({row["of bytes"] for row in whole}) == 1


def test_styles(tmp_path: Path) -> None:
    path = tmp_path / "styles.json"
    run(
        sys.executable, *("tests/bench/styles.py", "--rounds", "1", "--threads", "1", "--sizes", "64x48"),
        *("--json", str(path)),
    )  # fmt: skip
    assert {"pytorch/examples", "gouache", "ink"} <= {row["net"] for row in json.loads(path.read_text())["rows"]}


def test_steadiness(tmp_path: Path) -> None:
    film, path = make_video(tmp_path / "film.mp4", size=(640, 360), pts=range(0, 8 * 512, 512)), tmp_path / "s.json"
    run(
        sys.executable, *("tests/bench/steadiness.py", str(film), "--frames", "2", "--styles", "gouache"),
        *("--once", "--json", str(path)),
    )  # fmt: skip
    assert [row["style"] for row in json.loads(path.read_text())["rows"]] == ["the film itself", "gouache"]


@pytest.mark.parametrize("chart", [[], ["--chart"]])
def test_simulation(tmp_path: Path, chart: list[str]) -> None:
    path, sizes = tmp_path / "simulation.json", ("--frames", "24000", "--scorers", "1", "4", "64", "--height", "1080")
    run(sys.executable, *("tests/bench/simulation.py", *sizes, *chart, "--json", str(path)))
    found = json.loads(path.read_text())
    one, four, many = found["rows"]
    alone = 24_000 / (600 * 65 / 989 / 2.25)
    assert alone < one["seconds"] < 1.1 * alone, "one T4 is what limits"
    assert (one["limit"], one["speed-up"]) == ("devices", 1)
    assert 1 < four["speed-up"] <= 4
    if chart:
        assert (many["stitchers"], many["limit"]) == (32, "stitchers")
    else:
        assert four["speed-up"] < many["speed-up"] <= 64
    assert found["dollars"].keys() == {"GPU", "CPU", "storage", "bus"}
    assert min(found["dollars"].values()) > 0


def test_every_benchmark_that_a_document_names_has_a_test() -> None:
    text, mine = "".join(path.read_text() for path in DOCUMENTS), Path(__file__).read_text()
    scripts = sorted(path.name for path in (ROOT / "tests/bench").glob("*.py") if "def main(" in path.read_text())
    named = [name for name in scripts if f"bench/{name}" in text]
    assert {"packs.py", "styles.py", "steadiness.py"} <= set(named)
    assert [name for name in named if f"bench/{name}" not in mine] == []
    commands = [word for word in ("make bench`", "make bench-compare", "make bench-images") if word in text]
    assert len(commands) == 3, "a command was renamed: rename it here, too"
