"""The cluster that `make e2e-up` has made, and what a whole session of tests shares."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clips import demo
from support.cluster import CONTEXT, NAMESPACE, OPTIONS, STAGES, Cluster
from support.timeline import Recorder

from framebrush.manifest import State

RESULTS = Path(".e2e")


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
def table() -> Iterator[list[dict[str, Any]]]:
    """Rows of what was done and how it ended; printed at the end."""
    rows = list[dict[str, Any]]()
    yield rows
    RESULTS.joinpath("results.json").write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows:
        print(" | ".join(str(value) for value in row.values()))


@pytest.fixture(scope="session")
def undisturbed(cluster: Cluster, clip: bytes, results: Path, table: list[dict[str, Any]]) -> bytes:
    """The output of a run from zero to zero, in which nothing else happens."""
    cluster.wait("all stages at zero", cluster.at_zero, 300)
    recorder = Recorder(cluster.sample)
    recorder.start()
    source, _ = cluster.put("cold.mp4", clip)
    sent = recorder.mark("message sent")
    output = cluster.request("cold", source, OPTIONS)
    status = cluster.ended("cold", 600)
    done = recorder.mark("run ended")
    cluster.wait("all stages back at zero", cluster.at_zero, 300)
    zero = recorder.mark("all at zero")
    timeline = recorder.stop()
    timeline.write(results / "cold.json")
    timeline.plot(results / "cold.png")
    assert status.state is State.SUCCEEDED, status.error
    data = cluster.blobs.read(output)
    results.joinpath("cold.mp4").write_bytes(data)
    scorer = timeline.first(lambda now: any(n for name, n in now.ready.items() if name.startswith("scorer")))
    table.append(
        {
            "what": "cold run",
            "result": "exact",
            "message to done, s": round(done - sent),
            "message to first scorer, s": scorer and round(scorer - sent),
            "done to zero, s": round(zero - done),
        }
    )
    for stage in STAGES:
        assert timeline.first(lambda now, stage=stage: any(k.startswith(stage) and v for k, v in now.ready.items())), (
            f"{stage} was never seen at work"
        )
    return data


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """After a failure: the pods, the latest events, the ends of all logs."""
    report: Any = yield
    if report.failed and report.when == "call":
        for command in (
            ["get", "pods,scaledobjects,hpa", "--all-namespaces", "--output", "wide"],
            ["get", "events", "--all-namespaces", "--sort-by", "lastTimestamp"],
            ["logs", "-n", NAMESPACE, "-l", "app.kubernetes.io/part-of=framebrush", "--prefix", "--tail", "15"],
            ["logs", "-n", "keda", "-l", "app=keda-operator", "--tail", "15"],
        ):
            done = subprocess.run(
                ["kubectl", "--context", CONTEXT, *command], capture_output=True, text=True, timeout=60, check=False
            )
            lines = (done.stdout + done.stderr).splitlines()[-60:]
            report.sections.append((f"kubectl {' '.join(command)}", "\n".join(lines)))
    return report
