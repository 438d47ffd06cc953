"""The supervisor with real child processes: Azurite, and web servers in the place of the services."""

import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from framebrush.storage import AzureBlobs, StorageSettings
from framebrush_cli import local
from framebrush_cli.commands import stack as stacks
from framebrush_cli.commands import up
from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import Home, Part, Stack, azurite, free_ports
from framebrush_cli.settings import settings_from

SERVE = "import http.server as h, os; h.test(h.SimpleHTTPRequestHandler, port=int(os.environ['PORT']))"
FAIL = "print('first words'); raise SystemExit('no such thing')"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SERVE
Launch = Callable[..., Stack]


def server(name: str, script: str = SERVE) -> Part:
    [port] = free_ports(1)
    return Part(
        name=name,
        kind="service",
        command=(sys.executable, "-c", script),
        environment={"PORT": str(port)},
        probe=f"http://127.0.0.1:{port}/",
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    home = Home(tmp_path / ".framebrush")
    yield home
    stacks.stop(home)


@pytest.fixture
def launch(home: Home, monkeypatch: pytest.MonkeyPatch) -> Launch:
    """Does `framebrush up` with these parts beside Azurite, and returns what runs then."""

    def start(*services: Part) -> Stack:
        [port] = free_ports(1)
        backend = Part(
            name="azurite",
            kind="backend",
            command=azurite.command(home.azurite, port),
            probe=f"http://127.0.0.1:{port}/",
        )
        environment = {"FRAMEBRUSH_STORAGE_CONNECTION_STRING": azurite.connection_string(port)}
        stack = Stack(environment=environment, parts=(backend, *services))
        monkeypatch.setattr(stacks, "plan_stack", lambda *_: stack)
        up.up(data=home.path, timeout=60)
        return home.read()

    return start


def pid(home: Home, name: str) -> int:
    [found] = [part.pid for part in home.read().parts if part.name == name]
    assert found
    return found


def alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


@pytest.mark.usefixtures("azurite")  # skips where it is not installed
def test_a_full_disk_leaves_nothing_running(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)  # of the group's number, when the supervisor runs
        with pytest.raises(CommandFailed, match="cannot be written: No space left on device"):
            up.up(data=home.path)
    assert not home.running()


@pytest.mark.usefixtures("azurite")
def test_up_makes_everything_ready_and_down_ends_everything(
    home: Home, launch: Launch, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = launch(server("one"), server("two"))
    settings = settings_from(StorageSettings, stack.environment)
    store = AzureBlobs(settings)
    for container in ("input", "work", "output"):
        assert list(store.list(container)) == []
    assert {path.name for path in home.logs.iterdir()} == {
        "supervisor.log", "azurite.log", "one.log", "two.log",
    }  # fmt: skip
    pids = [pid(home, name) for name in ("azurite", "one", "two")]

    up.up(data=home.path)
    assert [pid(home, name) for name in ("azurite", "one", "two")] == pids, "a second `up` changes nothing"

    up.down(data=home.path)
    assert not any(alive(number) for number in pids)
    up.down(data=home.path, purge=True)
    assert list(home.path.iterdir()) == []


@pytest.mark.usefixtures("azurite")
def test_a_part_that_is_killed_comes_back(home: Home, launch: Launch) -> None:
    launch(server("one"))
    before = pid(home, "one")
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: pid(home, "one") != before)
    wait_for(lambda: stacks._problem(home.read().parts[1]) is None)


@pytest.mark.usefixtures("azurite")
def test_what_a_killed_supervisor_leaves_behind_is_cleared_away(home: Home, launch: Launch) -> None:
    launch(server("one"))
    orphan, group = pid(home, "one"), home.group()
    assert group
    os.kill(group, signal.SIGKILL)
    wait_for(lambda: not home.supervised())
    assert home.running()
    launch(server("one"))
    assert not alive(orphan)
    assert alive(pid(home, "one"))


@pytest.mark.usefixtures("azurite")
def test_a_part_that_ignores_sigterm_is_killed(home: Home, launch: Launch, monkeypatch: pytest.MonkeyPatch) -> None:
    launch(server("deaf", DEAF))
    group, deaf = home.group(), pid(home, "deaf")
    assert group
    os.kill(group, signal.SIGKILL)  # the supervisor's own patience is 40 s; this tests the command's
    wait_for(lambda: not home.supervised())
    monkeypatch.setitem(local.GRACE, "service", 0.5)
    stacks.stop(home)
    assert not alive(deaf)


@pytest.mark.usefixtures("azurite")
def test_a_part_that_dies_is_named_with_its_last_words(home: Home, launch: Launch) -> None:
    with pytest.raises(CommandFailed, match=r"two does not get ready: it died 3 times[^§]*no such thing"):
        launch(server("one"), server("two", FAIL))
    assert not home.running()
