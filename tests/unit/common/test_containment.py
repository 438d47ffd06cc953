"""What code that has taken over a decoder can get at. The exploits themselves are in ``support.exploits``."""

import ctypes
import errno
import logging
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from support import exploits, tasks
from unit.common.test_sandbox import ENOUGH, LITTLE, TESTS, film, is_gone

from framebrush.errors import InvalidVideo, LimitExceeded, Unfit
from framebrush.sandbox import Allowance, Sandbox
from framebrush.sandbox.isolation import MEASURES, lacking
from framebrush.sandbox.seccomp import program

SECRET = ctypes.create_string_buffer(b"pass", 4)
"""Something in this process's memory."""
CONTAINED = pytest.mark.skipif(bool(lacking()), reason=f"this system lacks {lacking()}")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(TESTS))
        sandbox = Sandbox(300, modules=["support.tasks", "support.exploits"])
        sandbox.warm()
        yield sandbox
        sandbox.close()


def answer(server: socket.socket) -> None:
    with suppress(OSError):  # It is closed when the test has ended.
        while True:
            with server.accept()[0] as connection:
                connection.sendall(b"hi")


@pytest.fixture
def argument(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """What an attempt aims at: a file of the service, a socket that somebody serves, an address in memory."""
    name = request.node.callspec.params["name"]
    path = tmp_path / "azure-identity-token"
    path.write_text("eyJ0eXAi")
    with ExitStack() as stack:
        if name in ("internet", "unix"):
            server = stack.enter_context(socket.socket(socket.AF_INET if name == "internet" else socket.AF_UNIX))
            server.bind(("127.0.0.1", 0) if name == "internet" else str(tmp_path / "socket"))
            server.listen()
            threading.Thread(target=answer, args=[server], daemon=True).start()
            yield str(server.getsockname()[1]) if name == "internet" else str(tmp_path / "socket")
            server.shutdown(socket.SHUT_RDWR)
        elif name == "datagram":
            server = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            server.bind(("127.0.0.1", 0))
            yield str(server.getsockname()[1])
        else:
            yield hex(ctypes.addressof(SECRET)) if name.startswith("vm_") else str(path)


@CONTAINED
@pytest.mark.parametrize("name", exploits.ATTEMPTS)
def test_what_a_hostile_decoder_tries(sandbox: Sandbox, name: str, argument: str) -> None:
    (found,) = map(bytes, sandbox.run(ENOUGH, film(), exploits.attempt, name, os.getpid(), argument))
    assert found.startswith(b"refused: "), found.decode()
    assert SECRET.raw == b"pass"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a process that is concealed")
@pytest.mark.parametrize("name", exploits.ATTEMPTS)
def test_the_attempt_succeeds_elsewhere(name: str, argument: str) -> None:
    """Otherwise its refusal would prove nothing."""
    SECRET.raw = b"pass"
    found = subprocess.run(
        [sys.executable, exploits.__file__, str(os.getpid()), name, argument],
        env=os.environ | {"PYTHONPATH": str(TESTS)}, text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert found.stdout.startswith("succeeded: "), found.stdout
    assert (SECRET.raw == b"evil") == (name == "vm_write")
    SECRET.raw = b"pass"


CONCEALED = """
import ctypes, os, subprocess, sys
import framebrush.sandbox.host
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which a change of user takes away
if sys.argv[1] == "concealed":
    framebrush.sandbox.host.Sandbox(300)
subprocess.run(["/bin/sh", "-c", "cat /proc/$PPID/environ"])
"""


@pytest.mark.parametrize("how", ["concealed", "not"])
def test_processes_of_its_user_cannot_look_into_the_service(how: str) -> None:
    """This holds for any process, isolated or not. Root may look into everything, so that this is done by somebody."""
    found = subprocess.run(
        [sys.executable, "-c", CONCEALED, how], env=os.environ | {"FRAMEBRUSH_SECRET": "12345"},
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert ("FRAMEBRUSH_SECRET=12345" in found.stdout) == (how == "not"), found.stderr
    assert ("Permission denied" in found.stderr) == (how == "concealed"), found.stderr


@CONTAINED
def test_one_folder_and_no_other(sandbox: Sandbox, tmp_path: Path) -> None:
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own, other):
        folder.mkdir()
        (folder / "file").write_text("x")
    allowance = Allowance(30, "", "", folder=own)
    for name in ("token", "create", "listing", "overwrite", "remove"):
        for folder, outcome in ((own, b"succeeded"), (other, b"refused")):
            path = str(folder / "file")
            (found,) = map(bytes, sandbox.run(allowance, film(), exploits.attempt, name, os.getpid(), path))
            assert found.startswith(outcome), (name, found)
    assert sorted(path.name for path in other.iterdir()) == ["file"]


@pytest.mark.parametrize(
    "how",
    [
        "reads before the file", "reads all at once", "reads nothing that is told", "says a word of its own",
        "announces a message that fills memory", "ends without a word", "tells of its end in no JSON",
        "tells of its end in other JSON", "says much of its end",
    ],
)  # fmt: skip
def test_what_a_decoder_says_is_not_believed(sandbox: Sandbox, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framebrush.sandbox.process.END", 1.0)
    with pytest.raises(InvalidVideo, match=r"^input/film\.mp4: the decoder does not make sense$"):
        list(sandbox.run(ENOUGH, film(), exploits.lie, how))


@pytest.mark.parametrize("how", ["never ends its message", "does not listen"])
def test_a_decoder_cannot_hold_the_service_up(sandbox: Sandbox, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framebrush.sandbox.process.END", 1.0)
    with pytest.raises((LimitExceeded, InvalidVideo)):
        list(sandbox.run(LITTLE, film(), exploits.lie, how))


@pytest.mark.parametrize("how", ["lives on", "says more than its last word"])
def test_a_decoder_is_no_part_of_the_next_task(sandbox: Sandbox, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("framebrush.sandbox.process.END", 1.0)
    before = int(*sandbox.run(ENOUGH, film(), tasks.parent_id))
    assert list(sandbox.run(ENOUGH, film(), exploits.lie, how)) == []
    assert is_gone(before)
    assert len(list(sandbox.run(ENOUGH, film(), tasks.describe))) == 3


def test_what_the_system_lacks_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def measured() -> dict[str, float | None]:
        return {m: REGISTRY.get_sample_value("framebrush_sandbox_measure", {"measure": m}) for m in MEASURES}

    with caplog.at_level(logging.INFO):
        Sandbox(300)
        assert measured() == {measure: measure not in lacking() for measure in MEASURES}
        monkeypatch.setattr("framebrush.sandbox.host.lacking", lambda: ("landlock",))
        Sandbox(300)
    assert measured() == {"dumpable": 1, "no_new_privs": 1, "seccomp": 1, "landlock": 0}
    assert "cannot isolate the processes that open media fully: no landlock" in caplog.text


@CONTAINED
def test_nothing_is_opened_where_a_measure_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    """A folder that does not exist stands for whatever the kernel may refuse."""
    with pytest.raises(Unfit, match="cannot be isolated, although this system has what it needs"):
        list(sandbox.run(Allowance(30, "", "", folder=tmp_path / "none"), film(), tasks.describe))


ALLOW, KILL = 0x7FFF0000, 0x80000000
NOT_PERMITTED, UNKNOWN = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS


def judge(machine: str, call: int, *arguments: int, architecture: int | None = None) -> int:
    """What the filter says of a call by the process 1234: an interpreter of the three instructions that it has."""
    architecture = architecture or {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[machine]
    values = [*arguments, *[0] * (6 - len(arguments))]
    described = struct.pack("<iIQ6Q", call, architecture, 0, *[value % 2**64 for value in values])
    instructions, place, loaded = list(struct.iter_unpack("=HBBI", program(machine, 1234))), 0, 0
    while True:
        code, then, otherwise, value = instructions[place]
        place += 1
        match code:
            case 0x20:
                (loaded,) = struct.unpack_from("<I", described, value)
            case 0x15:
                place += then if loaded == value else otherwise
            case 0x45:
                place += then if loaded & value else otherwise
            case 0x06:
                return int(value)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter(machine: str) -> None:
    """The numbers are those of the kernel's tables, for a machine that this test does not run on, too."""
    arm = machine == "aarch64"
    read, socket_, kill, fcntl, clone, prctl, prlimit = (
        (63, 198, 129, 25, 220, 167, 261) if arm else (0, 41, 62, 72, 56, 157, 302)
    )
    ptrace, vm_read, execve, unshare, pidfd_open, io_uring = (117, 270, 221, 97, 434, 425) if arm else (
        101, 310, 59, 272, 434, 425,
    )  # fmt: skip
    assert judge(machine, read) == ALLOW
    for call in (socket_, ptrace, vm_read, execve, unshare, pidfd_open, io_uring, 435, 600, 2**30 + read):
        assert judge(machine, call) == UNKNOWN, call
    assert judge(machine, kill, 1234, 6) == ALLOW
    for other in (1, -1, 0, 1235):
        assert judge(machine, kill, other, 9) == NOT_PERMITTED
    assert judge(machine, fcntl, 5, 1) == ALLOW
    for command in (8, 10, 15):  # F_SETOWN, F_SETSIG, F_SETOWN_EX
        assert judge(machine, fcntl, 5, command) == NOT_PERMITTED
    assert judge(machine, clone, 0x3D0F00) == ALLOW  # as pthread_create(3) calls it
    assert judge(machine, clone, 17) == NOT_PERMITTED  # fork(2)
    assert judge(machine, prctl, 1) == NOT_PERMITTED
    assert judge(machine, prlimit, 0) == ALLOW
    assert judge(machine, prlimit, 1) == NOT_PERMITTED
    assert judge(machine, read, architecture=0x40000003) == KILL  # a 32-bit program's calls have other numbers
