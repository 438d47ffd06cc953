"""What a process that opens a caller's media can reach: its two pipes, its libraries, and one folder at most.

Four measures of Linux, of which each holds where another one fails: the service cannot be looked into by processes of
its own user (PR_SET_DUMPABLE); the process gains no privileges (PR_SET_NO_NEW_PRIVS), has few system calls (seccomp)
and sees few files (Landlock).
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import landlockpy
from landlockpy import AccessFS, Ruleset, Scope

from framebrush.sandbox.seccomp import available, install

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_GET_NO_NEW_PRIVS, PR_SET_NO_NEW_PRIVS = 1, 4, 39, 38
"""Operations of prctl(2); the first one has a signal sent to a process when its parent dies."""
SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/ld.so.preload",
    "/etc/localtime", "/usr/share/zoneinfo", "/dev/null", "/dev/urandom", "/proc/cpuinfo", "/proc/meminfo",
    "/sys/devices/system/cpu",
)  # fmt: skip
"""What libraries read of the system, besides themselves."""
READ = AccessFS.READ_FILE | AccessFS.READ_DIR
WRITE = READ | AccessFS.WRITE_FILE | AccessFS.MAKE_REG | AccessFS.REMOVE_FILE | AccessFS.TRUNCATE
MEASURES = ("dumpable", "no_new_privs", "seccomp", "landlock")

_libc = ctypes.CDLL(None, use_errno=True)


@cache
def lacking() -> tuple[str, ...]:
    """Return the measures that this system does not have, by the names in :data:`MEASURES`."""
    found = {
        "dumpable": sys.platform == "linux",
        "no_new_privs": _libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0,
        "seccomp": available(),
        "landlock": landlockpy.supported(),
    }
    return tuple(measure for measure in MEASURES if not found[measure])


def conceal() -> None:
    """Keep other processes of this user from looking into this one, and the kernel from dumping its memory.

    Its environment and its memory in /proc then belong to root. Debuggers and profilers cannot attach either.
    """
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def die_with(parent: int) -> None:
    """End this process when its parent does, which may have happened already."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def isolate(folder: Path | None) -> None:
    """Take everything from this process that it does not need for its task. There is no way back.

    Args:
        folder: The folder in which it may read and write files; None if it may in none.

    Raises:
        OSError: The system has a measure, and refuses it.
        RuntimeError: There are other threads, which would keep what they have.
    """
    if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - names are enough
        raise RuntimeError("a library has started threads: they cannot be isolated")
    if "no_new_privs" not in lacking() and _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")
    if "landlock" not in lacking():
        _see_only(folder)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(nowhere, standard)
    os.close(nowhere)
    if "seccomp" not in lacking():
        install()


def _see_only(folder: Path | None) -> None:
    """Leave the libraries visible and a folder, and nothing else of any file system."""
    with Ruleset(scoped=Scope.SIGNAL | Scope.ABSTRACT_UNIX_SOCKET) as rules:
        for path in libraries():
            rules.allow_path(path, READ if Path(path).is_dir() else AccessFS.READ_FILE)
        rules.allow_path(os.devnull, AccessFS.READ_FILE | AccessFS.WRITE_FILE)
        if folder is not None:
            rules.allow_path(folder, WRITE)
        rules.restrict()


@cache
def libraries() -> tuple[str, ...]:
    """Return the files and folders of which this process may need more code: where it has its code from until now."""
    mapped = [line.split(maxsplit=5)[-1].strip() for line in Path("/proc/self/maps").read_text().splitlines()]
    objects = {os.path.dirname(path) for path in mapped if ".so" in path and path.startswith("/")}  # noqa: PTH120
    wanted: Iterable[str] = {*sys.path, *objects, *SYSTEM}
    return tuple(sorted(path for path in wanted if path and Path(path).exists()))
