"""Copies the log lines of runs to storage, where they are when pods are gone: ``RUN/SERVICE-POD.jsonl``.

A blob takes 50,000 appends, which are three days of one pod's work on one run; then comes ``RUN/SERVICE-POD.1.jsonl``.

Storage is never waited for: lines are buffered and appended by a thread of their own, some seconds later. While storage
is away or slow they wait. Once the buffer is full, further lines are lost and counted. Standard output has all of them.
"""

import logging
import os
import threading
from collections import defaultdict
from collections.abc import Mapping

from prometheus_client import Counter

from framebrush.contracts import BlobRef
from framebrush.errors import BlobNotFound, Conflict, Unavailable
from framebrush.messaging import current_run
from framebrush.storage import Store

log = logging.getLogger(__name__)

INTERVAL = 5.0
"""The seconds between two appends to a blob."""
MOST = 2 * 2**20
"""The bytes of lines that wait at most. An append takes 4 MiB."""
LAST = 5.0
"""The seconds that the last append may take when the service ends."""

_lost = Counter("framebrush_log_lines_lost_total", "Lines of runs' logs that were not copied to storage.")


def log_name(run_id: str, service: str, pod: str, part: int) -> str:
    """Return the name of the blob with the lines that a pod wrote for a run; ``part`` counts the blobs before it."""
    return f"{run_id}/{service}-{pod}{f'.{part}' if part else ''}.jsonl"


class RunLog(logging.Handler):
    """A handler of log lines that belong to a run."""

    def __init__(self, service: str, store: Store, container: str) -> None:
        super().__init__()
        self._service, self._store, self._container = service, store, container
        self._pod, self._part = os.uname().nodename, 0
        self._waiting, self._size, self._guard = defaultdict[str, list[bytes]](list), 0, threading.Lock()
        self._ends, self._refused = threading.Event(), ""
        self._thread = threading.Thread(target=self._run, name="run logs", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, if it belongs to a run and there is room."""
        run_id = current_run()
        if run_id is None:
            return
        line = self.format(record).encode(errors="replace") + b"\n"
        with self._guard:
            if self._size + len(line) > MOST:
                _lost.inc()
                return
            self._waiting[run_id].append(line)
            self._size += len(line)

    def close(self) -> None:
        """Append what waits, within :data:`LAST` seconds, and end."""
        self._ends.set()
        self._thread.join(LAST)
        super().close()

    def _run(self) -> None:
        while not self._ends.wait(INTERVAL):
            self._append(self._take())
        self._append(self._take())

    def _take(self) -> Mapping[str, list[bytes]]:
        with self._guard:
            taken, self._waiting = self._waiting, defaultdict(list)
            self._size = 0
        return taken

    def _append(self, lines: Mapping[str, list[bytes]]) -> None:
        for run_id, waiting in lines.items():
            name = log_name(run_id, self._service, self._pod, self._part)
            ref = BlobRef(container=self._container, name=name)
            try:
                self._store.append(ref, b"".join(waiting))
                self._refused = ""
            except BlobNotFound as error:
                self._lose(waiting, f"{error}: `framebrush setup` creates it")
            except Conflict as error:
                self._part += 1
                self._keep(run_id, waiting, str(error))
            except Unavailable as error:  # The append may have happened. Readers see to lines that are there twice.
                self._keep(run_id, waiting, str(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, the work goes on
                self._lose(waiting, f"{type(error).__name__}: {error}")

    def _keep(self, run_id: str, lines: list[bytes], reason: str) -> None:
        """Let lines wait for the next append, if there is room beside those that came meanwhile."""
        size = sum(map(len, lines))
        with self._guard:
            if self._size + size <= MOST and not self._ends.is_set():
                self._waiting[run_id][:0] = lines
                self._size += size
                return
        self._lose(lines, reason)

    def _lose(self, lines: list[bytes], reason: str) -> None:
        _lost.inc(len(lines))
        if not self._refused:  # once, until it works again
            log.warning("logs of runs are not copied to storage: %s", reason)
        self._refused = reason
