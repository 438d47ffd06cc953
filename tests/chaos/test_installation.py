import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from chaos.installation import MARK, Pod, strays, thaw

from framebrush_cli.local import Part

WAITS = "import time; time.sleep(60)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAITS!r}])"
REFUSES = f"import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3)); print('up', flush=True); {WAITS}"


class Pods:
    def __init__(self, folder: Path) -> None:
        self.folder, self.mark, self.made = folder, uuid.uuid4().hex, list[Pod]()

    def __call__(self, program: str) -> Pod:
        part = Part(name="pod-1", kind="service", command=(sys.executable, "-c", program), probe="http://127.0.0.1:1/")
        self.made.append(Pod(part, lambda: {**os.environ, MARK: self.mark}, self.folder))
        return self.made[-1]


@pytest.fixture
def pods(tmp_path: Path) -> Iterator[Pods]:
    made = Pods(tmp_path)
    yield made
    for process in strays(made.mark, ()):
        process.kill()
    for pod in made.made:
        pod.process.wait()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def restarted(pod: Pod) -> bool:
    before = pod.process.pid

    def again() -> bool:
        pod.supervise()
        return pod.process.pid != before

    until(again)
    return pod.process.poll() is None


def test_a_pod_that_was_killed_is_started_again_and_nobody_complains(pods: Pods) -> None:
    pod = pods(WAITS)
    (pod.temporary / "left").touch()
    pod.kill()
    assert restarted(pod)
    assert pod.exits == []
    assert (pod.temporary / "left").exists()


def test_an_end_that_nobody_asked_for_is_a_complaint(pods: Pods) -> None:
    pod = pods("raise SystemExit(4)")
    pod.process.wait()
    restarted(pod)
    assert pod.exits == ["pod-1 ended by itself with exit code 4"]


def test_a_drain_that_ends_with_an_error_is_a_complaint(pods: Pods) -> None:
    pod = pods(REFUSES)
    until(lambda: b"up" in pod.said())
    pod.terminate()
    assert restarted(pod)
    assert pod.drains == ["pod-1 drained with exit code 3"]
    assert pod.exits == []


def test_a_frozen_pod_stands_still_with_its_children(pods: Pods) -> None:
    pod = pods(PARENT)
    until(lambda: len(pod.tree()) == 2)
    frozen = pod.freeze()
    until(lambda: {process.status() for process in pod.tree()} == {psutil.STATUS_STOPPED})
    thaw(frozen)
    until(lambda: psutil.STATUS_STOPPED not in {process.status() for process in pod.tree()})


def test_a_child_that_outlives_its_pod_is_a_stray(pods: Pods) -> None:
    pod = pods(PARENT)
    until(lambda: len(pod.tree()) == 2)
    assert strays(pods.mark, [pod]) == []
    [_, child] = pod.tree()
    pod.kill()
    pod.process.wait()
    assert strays(pods.mark, [pod]) == [child]


def test_processes_of_somebody_else_are_no_strays(pods: Pods) -> None:
    with subprocess.Popen([sys.executable, "-c", WAITS], env={**os.environ, MARK: "another"}) as process:
        assert strays(pods.mark, ()) == []
        process.kill()
