"""The cluster that `make e2e-up` has made, and what a whole session of tests shares."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.clips import demo
from support.cluster import CONTEXT, NAMESPACE, OPTIONS, Cluster
from support.journey import Journey, Travel, journey, table

from framebrush.contracts import State

RESULTS = Path(".e2e")
SCORERS = "app.kubernetes.io/component=scorer"
SHEET = Path(__file__).parents[1] / "tools" / "contact_sheet.py"


@pytest.fixture(scope="session")
def results() -> Path:
    """Where output videos, timelines and pictures stay."""
    RESULTS.mkdir(exist_ok=True)
    return RESULTS


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    try:
        found = Cluster()
        found.core.list_namespaced_pod(NAMESPACE)
    except Exception as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no cluster {CONTEXT}: `make e2e-up` makes one ({error})")
    return found


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """264 frames of 480x270 in 8 segments, with sound."""
    return demo(tmp_path_factory.mktemp("clip") / "clip.mp4", width=480, loops=2, gop=33).read_bytes()


@pytest.fixture(scope="session")
def travel(cluster: Cluster, results: Path) -> Iterator[Travel]:
    """Begins a journey from zero to zero; at the end all of them stand in a table."""
    rows = list[dict[str, Any]]()
    yield partial(journey, cluster, results, rows)
    results.joinpath("results.json").write_text(json.dumps(rows, indent=1) + "\n")
    results.joinpath("results.md").write_text(table(rows))
    print("\n" + table(rows))


@pytest.fixture(scope="session")
def cold(cluster: Cluster, clip: bytes, results: Path, travel: Travel) -> Journey:
    """A run in which nothing else happens; its output is in ``undisturbed``."""
    source, _ = cluster.put("cold.mp4", clip)
    with travel("cold") as cold:
        output = cluster.request(cold.run_id, source, OPTIONS)
        status = cold.ended()
        assert status.state is State.SUCCEEDED, status.error
        results.joinpath("cold.mp4").write_bytes(cluster.blobs.read(output))
    before = results / "clip.mp4"
    before.write_bytes(clip)
    sheet = [sys.executable, SHEET, before, results / "cold.mp4", results / "cold-frames.png"]
    subprocess.run(sheet, check=True, timeout=120)
    return cold


@pytest.fixture(scope="session")
def undisturbed(cold: Journey, results: Path) -> bytes:
    """The output of the cold run."""
    return results.joinpath("cold.mp4").read_bytes()


def _show_threads() -> None:
    """Let every scorer write where its threads are into its log, in case it hangs."""
    kubectl = ["kubectl", "--context", CONTEXT, "-n", NAMESPACE]
    pods = subprocess.run(
        [*kubectl, "get", "pods", "-l", SCORERS, "--output", "name"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    for pod in pods.stdout.split():
        signal = ["exec", pod, "--", "python", "-c", "import os, signal; os.kill(1, signal.SIGUSR1)"]
        subprocess.run([*kubectl, *signal], timeout=60, check=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """After a failure: the pods, the latest events, the ends of all logs."""
    report: Any = yield
    if report.failed and (report.when == "call" or not item.session.testsfailed):
        _show_threads()
        for lines, *command in (
            (60, "get", "pods,scaledobjects,hpa", "--all-namespaces", "--output", "wide"),
            (60, "get", "events", "--all-namespaces", "--sort-by", "lastTimestamp"),
            (60, "logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/part-of=framebrush", "--prefix", "--tail", "15"),
            (60, "logs", "-n", "keda", "-l", "app=keda-operator", "--tail", "15"),
            (800, "logs", "-n", NAMESPACE, "-l", SCORERS, "--prefix", "--tail", "200"),
        ):
            done = subprocess.run(
                ["kubectl", "--context", CONTEXT, *command], capture_output=True, text=True, timeout=60, check=False
            )
            found = (done.stdout + done.stderr).splitlines()[-lines:]
            report.sections.append((f"kubectl {' '.join(command)}", "\n".join(found)))
    return report
