"""What a task may do to its process, and that nobody else notices."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import psutil
import pytest
from support import tasks

from framebrush.contracts import BlobRef
from framebrush.errors import Crashed, InputChanged, InvalidVideo, LimitExceeded
from framebrush.sandbox import Allowance, Sandbox, TaskFailed
from framebrush.storage import BlobReader, MemoryStore

REF = BlobRef(container="input", name="film.mp4")
CONTENT = bytes(range(256)) * 10_000
ENOUGH, LITTLE = (Allowance(seconds, "MAX_SOMETHING", "the work") for seconds in (30.0, 2.0))
TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One for all tests: what a task did to it must not matter to the next."""
    before = children()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(TESTS))
        patch.setenv("FRAMEBRUSH_STORAGE_CONNECTION_STRING", "AccountKey=secret")
        sandbox = Sandbox(300, modules=["support.tasks"])
        sandbox.warm()
        yield sandbox
        sandbox.close()
    assert children() == before


def film(store: MemoryStore | None = None) -> BlobReader:
    store = store or MemoryStore()
    return BlobReader(store, REF, len(CONTENT), store.write(REF, CONTENT), chunk=100_000)


def children() -> set[int]:
    """Zombies included."""
    return {process.pid for process in psutil.Process().children()}


def is_gone(pid: int) -> bool:
    """Whether it is no more, within a moment; somebody else may have to take notice of that."""
    for _ in range(100):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def process_of(sandbox: Sandbox) -> int:
    """The process that waits for the next task."""
    return int(*sandbox.run(ENOUGH, film(), tasks.parent_id))


@pytest.fixture(autouse=True)
def lives_on(sandbox: Sandbox) -> Iterator[None]:
    """After each test the next task finds all in order, and no process is left but the one that waits for it."""
    before = children() - {process_of(sandbox)}
    yield
    assert children() - {process_of(sandbox)} == before


def test_a_task_reads_the_file_and_gives_what_it_yields(sandbox: Sandbox) -> None:
    found = list(sandbox.run(ENOUGH, film(), tasks.describe))
    assert found == [CONTENT[-3:], CONTENT[:3], sha256(CONTENT).digest()]


def test_a_process_stays_for_the_next_task_and_makes_one_for_each(sandbox: Sandbox) -> None:
    assert process_of(sandbox) == process_of(sandbox)
    one, other = (int(*sandbox.run(ENOUGH, film(), tasks.process_id)) for _ in range(2))
    assert one != other
    assert is_gone(one)


def test_two_tasks_at_a_time_have_two_processes(sandbox: Sandbox) -> None:
    one, other = (sandbox.run(ENOUGH, film(), tasks.parent_id) for _ in range(2))
    assert next(one) != next(other)
    other.close()  # in mid-task: this process is not used again
    assert list(one) == []


def test_a_process_that_died_while_it_waited_is_replaced(sandbox: Sandbox) -> None:
    before = process_of(sandbox)
    os.kill(before, signal.SIGKILL)
    while psutil.Process(before).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert process_of(sandbox) != before


def test_no_secret_is_in_its_environment(sandbox: Sandbox) -> None:
    names = bytes(*sandbox.run(ENOUGH, film(), tasks.environment))
    assert b"PATH" in names
    assert b"FRAMEBRUSH" not in names


def test_what_is_wrong_with_the_file_comes_through(sandbox: Sandbox) -> None:
    before, found = process_of(sandbox), list[bytes]()
    with pytest.raises(InputChanged, match=r"^so it is$"):
        found.extend(sandbox.run(ENOUGH, film(), tasks.refuse))
    assert process_of(sandbox) == before


def test_an_error_of_the_task_is_none_of_the_file(sandbox: Sandbox) -> None:
    with pytest.raises(TaskFailed, match="KeyError: 'of our own making'"):
        list(sandbox.run(ENOUGH, film(), tasks.stumble))


def test_an_error_of_storage_comes_through(sandbox: Sandbox) -> None:
    store = MemoryStore()
    reader = film(store)
    store.write(REF, b"something else")
    with pytest.raises(InputChanged, match="overwritten"):
        list(sandbox.run(ENOUGH, reader, tasks.describe))


@pytest.mark.parametrize("how", ["SIGSEGV", "SIGABRT", "SIGILL"])
def test_a_crash_is_the_files_fault(sandbox: Sandbox, how: str) -> None:
    with pytest.raises(InvalidVideo, match=rf"^input/film\.mp4: the decoder crashed \({how}\)$"):
        list(sandbox.run(ENOUGH, film(), tasks.crash, how))


def test_a_kill_is_not(sandbox: Sandbox) -> None:
    with pytest.raises(Crashed, match=r"^input/film\.mp4: the decoder was killed \(SIGKILL\)$"):
        list(sandbox.run(ENOUGH, film(), tasks.crash, "SIGKILL"))


@pytest.mark.parametrize("how", ["in C", "sleeping", "reading"])
def test_a_hang_ends(sandbox: Sandbox, how: str) -> None:
    running, begun = sandbox.run(LITTLE, film(), tasks.hang, how), time.monotonic()
    pid = int(next(running))
    with pytest.raises(LimitExceeded, match=r"the work took longer than 2 s: if .* raise FRAMEBRUSH_MAX_SOMETHING"):
        next(running)
    assert 2 <= time.monotonic() - begun < 10
    assert is_gone(pid)


def test_signs_of_life_and_waiting_for_storage_are_no_hang(sandbox: Sandbox) -> None:
    assert list(sandbox.run(LITTLE, film(), tasks.plod, 6, 0.5)) == [b"done"]

    class Slow(MemoryStore):
        def read(self, ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
            time.sleep(0.1)
            return super().read(ref, start, length, etag=etag)

    assert len(list(sandbox.run(LITTLE, film(Slow()), tasks.describe))) == 3


def test_memory_is_bounded(sandbox: Sandbox) -> None:
    assert list(sandbox.run(ENOUGH, film(), tasks.devour, 100)) == [b"100"]
    with pytest.raises(LimitExceeded, match=r"more memory than 300 MB: .* raise FRAMEBRUSH_DECODER_MEMORY"):
        list(sandbox.run(ENOUGH, film(), tasks.devour, 400))


def test_a_task_that_nobody_waits_for_ends(sandbox: Sandbox) -> None:
    running = sandbox.run(ENOUGH, film(), tasks.hang, "in C")
    pid = int(next(running))
    running.close()
    assert is_gone(pid)


SERVICE = """
import sys
from support import tasks
from unit.common.test_sandbox import film
from framebrush.sandbox import Allowance, Sandbox
for pid in Sandbox(300).run(Allowance(60, "", ""), film(), tasks.hang, "in C"):
    print(bytes(pid).decode(), flush=True)
"""


def test_it_dies_with_the_service(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    with subprocess.Popen([sys.executable, "-c", SERVICE], stdout=subprocess.PIPE) as service:
        assert service.stdout is not None
        decoder = psutil.Process(int(service.stdout.readline()))
        service.kill()
    psutil.wait_procs([decoder], 5)
    assert not decoder.is_running()


def test_a_sign_of_life_is_answered_in_the_thread_that_waits(sandbox: Sandbox) -> None:
    signs = list[int]()
    allowance = Allowance(30.0, "", "", on_alive=lambda: signs.append(threading.get_ident()))
    assert list(map(bytes, sandbox.run(allowance, film(), tasks.plod, 3, 0.0))) == [b"done"]
    assert signs == [threading.get_ident()] * 3


def test_what_is_raised_at_a_sign_of_life_ends_the_task(sandbox: Sandbox) -> None:
    def fail() -> None:
        raise LookupError("not there")

    with pytest.raises(LookupError, match="not there"):
        list(sandbox.run(Allowance(30.0, "", "", on_alive=fail), film(), tasks.plod, 1000, 1.0))
