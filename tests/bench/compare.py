"""``make bench-compare BEFORE=COMMIT``: how fast splitter and stitcher are, against an earlier version, in turns."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from machine import machine, say
from report import DOCS, load, write
from run import CLIP

WORKER = Path(__file__).with_name("handlers.py")
STEPS = ("plan", "decode", "encode", "join")


def checkout(commit: str, folder: Path) -> Path:
    """The services as they were."""
    done = subprocess.run(["git", "archive", commit, "services"], capture_output=True, check=True)
    subprocess.run(["tar", "--extract", "--directory", folder], input=done.stdout, check=True)
    return folder


def turn(tree: Path, video: Path, times: int) -> list[dict[str, dict[str, float]]]:
    """Some runs in one process, after one that warms up."""
    sources = os.pathsep.join(str(path) for path in sorted(tree.glob("services/*/src")))
    command = [sys.executable, str(WORKER), str(video), str(times)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": sources}, stdout=subprocess.PIPE, check=True)
    result: list[dict[str, dict[str, float]]] = json.loads(done.stdout)
    return result


def measure(before: str, video: Path, turns: int, times: int) -> dict[str, Any]:
    """Seconds by version, step and kind of time."""
    found: dict[str, dict[str, dict[str, list[float]]]] = {
        version: {step: {"wall": [], "cpu": []} for step in STEPS} for version in ("before", "after")
    }
    with tempfile.TemporaryDirectory() as folder:
        trees = {"before": checkout(before, Path(folder)), "after": Path.cwd()}
        for number in range(turns):
            for version in sorted(trees, reverse=bool(number % 2)):
                for run in turn(trees[version], video, times):
                    for step, seconds in run.items():
                        for kind, value in seconds.items():
                            found[version][step][kind].append(value)
                say(f"{number} {version}: " + ", ".join(f"{s} {found[version][s]['wall'][-1]:.2f}" for s in STEPS))
    medians = {
        version: {step: {k: statistics.median(v) for k, v in kinds.items()} for step, kinds in steps.items()}
        for version, steps in found.items()
    }
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "before": before,
        "runs": turns * times,
        "before_seconds": medians["before"],
        "after_seconds": medians["after"],
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", required=True, help="a commit")
    parser.add_argument("--video", type=Path, default=CLIP)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--times", type=int, default=2, help="runs of each turn")
    parser.add_argument("--output", type=Path, default=DOCS, help="the folder of benchmarks.json and benchmarks.md")
    options = parser.parse_args()
    result = measure(options.before, options.video, options.turns, options.times)
    say(f"written: {write(load(options.output) | {'compared': result}, options.output)}")


if __name__ == "__main__":
    main()
