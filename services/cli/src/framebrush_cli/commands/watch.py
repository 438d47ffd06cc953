"""``framebrush watch``: a run's progress until its end."""

import time
from typing import Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.text import Text

from framebrush.contracts import Report, State, Status
from framebrush.errors import BlobNotFound, Unavailable
from framebrush.runs import Meter, Runs
from framebrush.units import duration
from framebrush_cli.commands.throughput import StageProgress, Throughput, estimate
from framebrush_cli.display import err, out, outcome, state
from framebrush_cli.installation import Connection, RunArgument, connected, resolve

STAGES = ("split", "scored", "encoded")
INTERVAL = 1.0
"""The seconds between two looks, where a look is fast."""
PATIENCE = 60.0
"""The seconds for which storage may be away."""


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@connected
def watch(connection: Connection, run: RunArgument, as_json: JsonOption = False) -> None:
    """Show a run's progress until it ends; exit code 0 if it succeeded, else 1.

    Example: `framebrush watch holiday`
    """
    status = follow(connection.runs, resolve(connection.runs, run), err if as_json else out)
    if as_json:
        out.print(escape(status.model_dump_json()))
    raise typer.Exit(0 if status.state is State.SUCCEEDED else 1)


def follow(runs: Runs, run_id: str, console: Console = out) -> Status:
    """Show progress until the run ends, and how it ended. If no splitter has taken up the run yet, wait for that.

    Returns:
        The last status of the run.
    """
    try:
        return until_end(runs, run_id, console)
    except KeyboardInterrupt:
        console.print(f"The run goes on: [bold]framebrush watch {run_id}[/], [bold]framebrush cancel {run_id}[/]")
        raise typer.Exit(130) from None


def until_end(runs: Runs, run_id: str, console: Console) -> Status:
    """Do what :func:`follow` does; an interrupt is the caller's."""
    view = _View(runs, run_id)
    last_seen = time.monotonic()
    with Live(view.render(), console=console, transient=True, refresh_per_second=4) as live:
        while True:
            began = time.monotonic()
            try:
                status = _status(runs, run_id)
                if status and status.state.ended:
                    break
                if status:
                    view.update(status)
                last_seen = time.monotonic()
            except Unavailable as error:
                if time.monotonic() - last_seen > PATIENCE:
                    raise
                view.note = f"[yellow]{escape(str(error))}; trying again[/]"
            live.update(view.render())
            if not console.is_terminal:
                view.print_line(console)
            # A listing of a long run takes its time, so look less often then.
            time.sleep(max(INTERVAL, 4 * (time.monotonic() - began)))
    console.print(outcome(status))
    for note in notes_of(runs, run_id):
        console.print(f"[dim]note:[/] {escape(note)}")
    return status


def notes_of(runs: Runs, run_id: str) -> tuple[str, ...]:
    """Return what a run cannot keep of its input, a line for each thing; nothing before it is planned."""
    report = runs.blobs(run_id).report
    try:
        if runs.exists(report):
            return Report.decode(runs.store.read(report)).notes
        return runs.manifest(run_id).notes
    except BlobNotFound:
        return ()


def _status(runs: Runs, run_id: str) -> Status | None:
    try:
        return runs.status(run_id)
    except BlobNotFound:
        return None


class Pace:
    """How far the stages of one run are, how fast they are, and how long the run will take."""

    def __init__(self, runs: Runs, run_id: str) -> None:
        self._meter, self._run_id, self._frames = Meter(runs), run_id, 0
        self._rates = {stage: Throughput() for stage in STAGES}
        self.done = dict.fromkeys(STAGES, 0)
        """The frames that each stage is done with."""
        self.painted = 0
        """The frames that can be looked at: those of batches that are painted as a whole."""

    def update(self, status: Status) -> None:
        """Measure progress by the blobs, which tell more than the status: that is written from time to time."""
        progress, _ = self._meter.measure(self._run_id)
        self.done, self._frames = progress.model_dump(), status.frames
        self.painted = progress.scored - self._meter.begun
        for stage in STAGES:
            self._rates[stage].record(time.monotonic(), self.done[stage])

    def rate(self, stage: str) -> float | None:
        """Return the frames per second of a stage that is not done yet; None if they are not known."""
        return self._rates[stage].rate if self.done[stage] < self._frames else None

    @property
    def joining(self) -> bool:
        """Whether all frames are encoded, so that only the join is left."""
        return 0 < self._frames <= self.done["encoded"]

    @property
    def left(self) -> float | None:
        """Return the seconds that are left; None if they are not known."""
        if self.joining:
            return None
        rates = self._rates
        return estimate(self._frames, {s: StageProgress(self.done[s], rates[s].rate, rates[s].pause) for s in STAGES})


class _View:
    """What is on the screen."""

    def __init__(self, runs: Runs, run_id: str) -> None:
        self.run_id, self._pace = run_id, Pace(runs, run_id)
        self.note = "[cyan]queued[/], waiting for a splitter"
        self._line, self._line_at = "", 0.0
        self._bars = Progress(
            TextColumn("  {task.description:8}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}")
        )
        self._tasks: dict[str, TaskID] = {}

    def update(self, status: Status) -> None:
        """Show how far the run is."""
        self.note = state(status.state)
        if not status.frames:
            return
        self._pace.update(status)
        done = self._pace.done
        for stage in STAGES:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=status.frames, rate="")
            rate = self._pace.rate(stage)
            text = f"{rate:.1f} frames/s" if rate else ""
            self._bars.update(self._tasks[stage], completed=done[stage], rate=text)
        self._line = ", ".join(f"{stage} {done[stage]}/{status.frames}" for stage in STAGES)
        if self._pace.joining:
            self.note += ", joining the segments"
        elif (left := self._pace.left) is not None:
            self.note += f", about {duration(left)} left"

    def render(self) -> Group:
        """Return the lines for a terminal."""
        return Group(Text.from_markup(f"[bold]{self.run_id}[/]: {self.note}"), self._bars)

    def print_line(self, console: Console) -> None:
        """Print a line at most every 5 s, for where there is no terminal."""
        now = time.monotonic()
        if now - self._line_at >= 5:
            self._line_at = now
            console.print(f"{self.run_id}: {self.note}{': ' if self._line else ''}{self._line}")
