"""``framebrush up`` and ``down``: the whole system on this machine."""

import shutil
import signal
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from framebrush_cli.commands.stack import TIMEOUT, start_stack, stop, table
from framebrush_cli.display import out
from framebrush_cli.local import DEFAULT, Follower, Home

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
        out.print(table(home.read().parts))
        out.print("Runs already. To start anew: [bold]framebrush down && framebrush up[/]")
        return
    ready = start_stack(home, scorers, timeout)
    out.print(table(home.read().parts, ready))
    out.print(f"Ready. Logs are in {escape(_short(home.logs))}. Next: [bold]framebrush submit VIDEO[/]")
    if foreground:
        _follow(home)


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
