"""A stack of this machine: starts it, stops it, and shows its parts."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.live import Live
from rich.markup import escape
from rich.table import Table

from framebrush.units import duration
from framebrush_cli.display import err, out
from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import GRACE, Home, Part, acquire, plan_stack, probe, tail
from framebrush_cli.targets import check_folder

MOST_STARTS = 3
"""The number of starts after which a part that is still not ready is given up."""
TIMEOUT = 90.0
"""The seconds in which all parts must get ready."""


def start_stack(home: Home, scorers: int, timeout: float = TIMEOUT) -> dict[str, float]:
    """Start every part of a stack that does not run, and wait until all are ready.

    Args:
        home: The folder of the stack.
        scorers: The number of scorer processes.
        timeout: The seconds in which all parts must get ready.

    Returns:
        The seconds that each part took, by its name.

    Raises:
        CommandFailed: A part is not installed, or does not get ready; then all are stopped again.
    """
    check_folder(home.logs, "--data")
    home.logs.mkdir(parents=True, exist_ok=True)
    stop(home)  # A killed supervisor may have left this behind.
    with _stopped_on_failure(home):
        _launch(home, scorers)
        return _wait(home, timeout)


def stop(home: Home) -> None:
    """End every process of the stack, and return when they are gone."""
    if not home.running():
        return
    # The lock tells whether a member of the group lives. As long as one does, the group's number is not used again.
    group = home.group()
    if group is None:
        raise CommandFailed(f"another `framebrush up` is starting in {home.path}: try again in a moment")
    if home.supervised():
        os.kill(group, signal.SIGTERM)
        _await_end(home, sum(GRACE.values()))
    for number, seconds in ((signal.SIGTERM, GRACE["service"]), (signal.SIGKILL, 10.0)):
        if home.running():
            os.killpg(group, number)
            _await_end(home, seconds)
    if home.running():
        raise CommandFailed(f"process group {group} does not end: `kill -9 -{group}`")


def _await_end(home: Home, seconds: float) -> None:
    end = time.monotonic() + seconds
    while home.running() and time.monotonic() < end:
        time.sleep(0.1)


@contextmanager
def _stopped_on_failure(home: Home) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with out.status("Stopping …"):
            stop(home)
        raise


def _launch(home: Home, scorers: int) -> None:
    """Start the supervisor. It and its children hold the lock before this function returns."""
    try:
        locks = [acquire(home.lock), acquire(home.supervisor_lock)]
    except BlockingIOError:
        raise CommandFailed(f"another `framebrush up` is starting in {home.path}: try again in a moment") from None
    supervisor = None
    try:
        try:
            home.write(plan_stack(home, scorers))
            home.azurite.mkdir(exist_ok=True)
            for log in home.logs.glob("*.log"):
                log.unlink()
            supervisor = _spawn(home, locks)
            os.truncate(locks[0], 0)
            os.write(locks[0], str(supervisor).encode())
        finally:
            for lock in locks:
                os.close(lock)
    except OSError as error:  # A full disk, mostly. Nobody else can stop what the lock does not name.
        if supervisor:
            os.killpg(supervisor, signal.SIGKILL)
            os.waitpid(supervisor, 0)
            _await_end(home, GRACE["service"])
        raise CommandFailed(f"{error.filename or home.lock} cannot be written: {error.strerror}") from None


def _spawn(home: Home, locks: Sequence[int]) -> int:
    """Start the supervisor in a process group of its own, which inherits the locks; return its process id."""
    for lock in locks:
        os.set_inheritable(lock, True)
    # This is not a subprocess.Popen, which has to be waited for: the process outlives this one.
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-m", "framebrush_cli.local.supervisor", str(home.path), str(locks[0])],
        {name: value for name, value in os.environ.items() if not name.startswith("FRAMEBRUSH_")},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(home.log("supervisor")), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


def _wait(home: Home, timeout: float) -> dict[str, float]:
    """Wait until every part is ready; return the seconds that each took.

    Raises:
        CommandFailed: A part is not ready. The text names it and has the end of its log.
    """
    started = time.monotonic()
    ready: dict[str, float] = {}
    with Live(console=err, transient=True, refresh_per_second=8) as live:
        while True:
            passed = time.monotonic() - started
            parts = home.read().parts
            problems = {part.name: _problem(part) for part in parts if part.name not in ready}
            for name in [name for name, problem in problems.items() if problem is None]:
                ready[name] = passed
            live.update(table(parts, ready, problems))
            if len(ready) == len(parts):
                return ready
            _check(home, parts, {name: text for name, text in problems.items() if text}, late=passed > timeout)
            time.sleep(0.1)


def _problem(part: Part) -> str | None:
    return probe(part.probe) if part.pid else "waiting for the backends"


def _check(home: Home, parts: tuple[Part, ...], problems: dict[str, str], *, late: bool) -> None:
    if not home.supervised():
        raise _not_ready(home, "supervisor", "it ended")
    for part in parts:
        if part.name in problems and (part.starts > MOST_STARTS or (late and part.pid)):
            why = f"it died {part.starts - 1} times" if part.starts > MOST_STARTS else problems[part.name]
            raise _not_ready(home, part.name, why)


def _not_ready(home: Home, name: str, why: str) -> CommandFailed:
    lines = "\n".join(f"  {line}" for line in tail(home.log(name), 15)) or "  (it wrote nothing)"
    return CommandFailed(f"{name} does not get ready: {why}. The end of its log:\n{lines}")


def table(parts: tuple[Part, ...], ready: dict[str, float] | None = None, problems: object = None) -> Table:
    """Return a table of the parts with their states.

    ``ready`` maps the names of parts to the seconds that each took to become ready. If it is None, the parts are asked.
    """
    table = Table(box=None, show_header=False, pad_edge=False)
    texts = problems if isinstance(problems, dict) else {}
    for part in parts:
        if ready is None:
            problem = _problem(part)
            word, note = ("[green]ready[/]", "") if problem is None else ("[red]not ready[/]", problem)
        elif part.name in ready:
            word, note = "[green]ready[/]", f"in {duration(ready[part.name])}"
        else:
            word, note = "[yellow]starting[/]", str(texts.get(part.name, ""))
        place = part.probe.removeprefix("http://").partition("/")[0]
        table.add_row(part.name, word, f"[dim]{place}[/]", f"[dim]{escape(note[:90])}[/]")
    return table
