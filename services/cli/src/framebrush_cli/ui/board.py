"""What the page shows of runs and transfers: looked at once for all tabs, and only while there are some."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.text import Text

from framebrush.contracts import State, Status
from framebrush.errors import FramebrushError
from framebrush_cli.commands.runs import statuses
from framebrush_cli.commands.watch import STAGES, Pace, notes_of
from framebrush_cli.display import outcome
from framebrush_cli.installation import Connection

INTERVAL = 1.0
"""The seconds between two looks, where a look is fast."""
MOST = 50
"""The runs that are shown, the newest ones."""
KEEP_ALIVE = 1.0
"""The seconds after which a tab is told something even if nothing has changed: so it is noticed that one is gone, and
that the page ends."""


class Board:
    """Looks at the runs, and tells every tab what has changed."""

    def __init__(self, connection: Connection, transfers: Callable[[], Mapping[str, Any]]) -> None:
        """Look at the runs of an installation, and at the transfers that a function returns."""
        self._connection, self._transfers = connection, transfers
        self._ends: Callable[[], bool] = lambda: False
        self._paces, self._ended = dict[str, Pace](), dict[str, tuple[Status, dict[str, Any]]]()
        self._news, self._text, self._tabs, self._closed = threading.Condition(), "", 0, False
        self._thread = threading.Thread(target=self._run, name="board", daemon=True)
        self._thread.start()

    def ends_with(self, ends: Callable[[], bool]) -> None:
        """Let the streams of events end when a function says that the page ends."""
        self._ends = ends

    def close(self) -> None:
        """End all streams of events, and the looking."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        self._thread.join()

    def look_now(self) -> None:
        """Look at once, since something was just changed."""
        with self._news:
            self._news.notify_all()

    def events(self) -> Iterator[str]:
        """Yield the runs, and the transfers that go on, as JSON: now and whenever something has changed.

        An empty text comes from time to time.
        """
        told, moved = "", json.dumps({"transfers": {}})
        with self._news:
            self._tabs += 1
            self._news.notify_all()
        try:
            while not self._closed and not self._ends():
                with self._news:
                    self._news.wait_for(lambda told=told: self._closed or self._text != told, KEEP_ALIVE)  # type: ignore[misc]
                    text = self._text
                if (moving := json.dumps({"transfers": self._transfers()})) != moved:
                    yield moving
                yield text if text != told else ""
                told, moved = text, moving
        finally:
            with self._news:
                self._tabs -= 1

    def _run(self) -> None:
        while not self._closed:
            began = time.monotonic()
            try:
                text = json.dumps({"runs": self._runs()})
            except FramebrushError as error:
                text = json.dumps({"problem": str(error)})
            with self._news:
                if text != self._text:
                    self._text = text
                    self._news.notify_all()
                if not self._closed:
                    self._news.wait(max(INTERVAL, 4 * (time.monotonic() - began)))
                self._news.wait_for(lambda: self._closed or self._tabs)

    def _runs(self) -> list[dict[str, Any]]:
        states = dict(self._connection.runs.ids())
        # What has ended stays as it is, unless it is reopened: only the others are read again.
        self._ended = {run_id: found for run_id, found in self._ended.items() if states.get(run_id) is found[0].state}
        rows = list(self._ended.values())
        for status in statuses(self._connection, states.keys() - self._ended.keys()):
            row = (status, self._facts(status))
            if status.state.ended:
                self._ended[status.run_id] = row
            rows.append(row)
        return [facts for _, facts in sorted(rows, key=lambda row: row[0].created, reverse=True)[:MOST]]

    def _facts(self, status: Status) -> dict[str, Any]:
        if status.state.ended:
            self._paces.pop(status.run_id, None)
            return self._told(status)
        pace = self._paces.setdefault(status.run_id, Pace(self._connection.runs, status.run_id))
        if status.frames:
            pace.update(status)
        done = {stage: min(pace.done[stage], status.frames) for stage in STAGES}
        left = None if pace.left is None else round(pace.left)
        return self._told(status) | {"done": done, "painted": pace.painted, "joining": pace.joining, "left": left}

    def _told(self, status: Status) -> dict[str, Any]:
        line = Text.from_markup(outcome(status)).plain.removeprefix(f"{status.run_id}: ")
        return {
            "id": status.run_id,
            "film": status.input.name,
            "styles": list(status.models),
            "pictures": [image.name for image in status.style_images],
            "state": status.state,
            "created": status.created.isoformat(),
            "frames": status.frames,
            "line": line if status.state.ended else "",
            "outputs": [output.name for output in status.outputs] if status.state is State.SUCCEEDED else [],
            "notes": list(notes_of(self._connection.runs, status.run_id)) if status.state.ended else [],
        }
