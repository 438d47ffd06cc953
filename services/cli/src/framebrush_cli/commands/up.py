"""``framebrush up`` and ``down``: the whole system on this machine."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from framebrush.units import duration
from framebrush_cli.display import err, out
from framebrush_cli.errors import CommandFailed
from framebrush_cli.local import DEFAULT, GRACE, Follower, Home, Part, acquire, plan_stack, probe, tail
from framebrush_cli.targets import check_folder

MOST_STARTS = 3
"""The number of starts after which a part that is still not ready is given up."""
TIMEOUT = 90.0
"""The seconds in which all parts must get ready."""
DataOption = Annotated[
    Path | None, typer.Option("--data", help="Folder of the stack's state, data and logs.  [default: .framebrush]")
]


def up(
    foreground: Annotated[bool, typer.Option("--foreground", help="Show the logs, and stop with Ctrl-C.")] = False,
    scorers: Annotated[int, typer.Option(min=1, max=16, help="Scorer processes.")] = 1,
    data: DataOption = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds in which all parts must get ready.")] = TIMEOUT,
) -> None:
    """Start Azurite, the local broker and all services on this machine.

    They run in the background, restarted when they die, until `framebrush down`.

    Example: `framebrush up --scorers 2`
    """
    home = Home(data) if data else Home.find() or Home(DEFAULT)  # of a folder above, too
    if home.running() and home.supervised():
        out.print(_table(home.read().parts))
        out.print("Runs already. To start anew: [bold]framebrush down && framebrush up[/]")
        return
    ready = start_stack(home, scorers, timeout)
    out.print(_table(home.read().parts, ready))
    out.print(f"Ready. Logs are in {escape(_short(home.logs))}. Next: [bold]framebrush submit VIDEO[/]")
    if foreground:
        _follow(home)


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


def down(
    purge: Annotated[bool, typer.Option("--purge", help="Delete its blobs, messages and logs, too.")] = False,
    data: DataOption = None,
) -> None:
    """Stop the local stack; its blobs and messages stay for the next `up` unless purged.

    Example: `framebrush down --purge`
    """
    home = Home(data) if data else Home.find() or Home(DEFAULT)
    running = home.running()
    if running:
        with out.status("Stopping: services finish or hand back what they have in hand …"):
            stop(home)
    out.print("Stopped." if running else f"Nothing runs in {escape(_short(home.path))}.")
    if purge:
        for folder in (home.azurite, home.logs):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (home.state, home.lock, home.supervisor_lock, *home.path.glob(f"{home.broker.name}*")):
            file.unlink(missing_ok=True)
        out.print("Data and logs deleted.")


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
    try:
        home.write(plan_stack(home, scorers))
        home.azurite.mkdir(exist_ok=True)
        for log in home.logs.glob("*.log"):
            log.unlink()
        for lock in locks:
            os.set_inheritable(lock, True)
        # This is not a subprocess.Popen, which has to be waited for: the process outlives this one.
        supervisor = os.posix_spawn(
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
        os.truncate(locks[0], 0)
        os.write(locks[0], str(supervisor).encode())
    finally:
        for lock in locks:
            os.close(lock)


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
            live.update(_table(parts, ready, problems))
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


def _table(parts: tuple[Part, ...], ready: dict[str, float] | None = None, problems: object = None) -> Table:
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


def _follow(home: Home) -> None:
    """Print the logs of all parts until SIGINT or SIGTERM, then stop the stack."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    followers = [Follower(name, home.log(name)) for name in ("supervisor", *(p.name for p in home.read().parts))]
    width = max(len(follower.name) for follower in followers)
    try:
        while home.running():
            for follower in followers:
                for line in follower.read():
                    out.print(f"[bold]{follower.name:{width}}[/] {escape(line)}")
            time.sleep(0.2)
    except KeyboardInterrupt:
        out.print("Stopping …")
        stop(home)


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
