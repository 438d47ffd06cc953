"""The process that ``framebrush up`` leaves behind: it starts the parts of a stack and keeps them running."""

import argparse
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from framebrush.contracts import Catalogue
from framebrush.errors import Unavailable
from framebrush.storage import StorageSettings
from framebrush.styles import Library, known_models
from framebrush_cli.cards import shipped_titles
from framebrush_cli.local.stack import Home, Part, Stack, probe
from framebrush_cli.settings import settings_from

log = logging.getLogger(__name__)

GRACE = {"service": 40.0, "backend": 10.0}
"""The seconds between SIGTERM and SIGKILL. Services hand back their messages within 35 s."""
LONGEST_PAUSE = 10.0
"""The largest number of seconds before a part that keeps dying is started again."""
HEALTHY = 30.0
"""The seconds of life after which a death counts as the first one."""


class Child:
    """A part of the stack, and its process."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.process: subprocess.Popen[bytes] | None = None
        self._due = self._started = 0.0
        self._pause = 0.0

    def mend(self, home: Home, environment: dict[str, str], lock: int) -> bool:
        """Start the process if there is none and its pause is over; return whether the part changed."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            self._pause = 0.0 if now - self._started > HEALTHY else min(LONGEST_PAUSE, 2 * self._pause + 0.5)
            self._due = now + self._pause
            log.warning(
                "%s ended with %s, again in %.1f s", self.part.name, _ending(self.process.returncode), self._pause
            )
            self.process = None
        if self.process is not None or now < self._due:
            return False
        with home.log(self.part.name).open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603 - a command of our own
                self.part.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment, **self.part.environment},
                pass_fds=[lock],
            )
        self._started = now
        self.part = self.part.model_copy(update={"pid": self.process.pid, "starts": self.part.starts + 1})
        log.info("%s started as process %d", self.part.name, self.process.pid)
        return True


class Supervisor:
    """Keeps the parts of a stack running until SIGTERM."""

    def __init__(self, home: Home, stack: Stack, lock: int) -> None:
        self._home, self._stack, self._lock = home, stack, lock
        self._children = [Child(part) for part in stack.parts]
        self._stop = threading.Event()

    def run(self) -> None:
        """Start backends, then services. Restart what dies. In the end, end services, then backends."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        backends = [child for child in self._children if child.part.kind == "backend"]
        services = [child for child in self._children if child.part.kind == "service"]
        try:
            self._keep(backends, until_ready=True)
            self._create_containers()
            self._keep(self._children)
        finally:
            self._end(services)
            self._end(backends)
            log.info("ended")

    def _keep(self, children: Iterable[Child], *, until_ready: bool = False) -> None:
        while not self._stop.is_set():
            changed = [child.mend(self._home, self._stack.environment, self._lock) for child in children]
            if any(changed):
                self._record()
            if until_ready and not any(probe(child.part.probe) for child in children):
                return
            self._stop.wait(0.2)

    def _record(self) -> None:
        parts = tuple(child.part for child in self._children)
        self._home.write(self._stack.model_copy(update={"parts": parts}))

    def _create_containers(self) -> None:
        from framebrush.storage import AzureBlobs  # It takes a second to import, and every command imports this module.

        settings = settings_from(StorageSettings, self._stack.environment)
        styles = self._stack.environment.get("FRAMEBRUSH_STYLES")
        while not self._stop.is_set():
            try:
                store = AzureBlobs(settings)
                store.create_containers(settings.containers)
                models = known_models(Path(styles) if styles else None)
                catalogue = Catalogue(models=models, titles=shipped_titles())
                Library(store, settings.styles_container).write_catalogue(catalogue)
                return
            except Unavailable as error:  # Azurite was killed meanwhile.
                log.warning("%s", error)
                self._keep([child for child in self._children if child.part.name == "azurite"], until_ready=True)

    def _end(self, children: list[Child]) -> None:
        alive = [child for child in children if child.process is not None and child.process.poll() is None]
        for child in alive:
            assert child.process is not None  # noqa: S101 - filtered above
            child.process.terminate()
        for child in alive:
            assert child.process is not None  # noqa: S101
            try:
                child.process.wait(GRACE[child.part.kind])
            except subprocess.TimeoutExpired:
                log.warning("%s did not end in time: killed", child.part.name)
                child.process.kill()
                child.process.wait()


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"


def main() -> None:
    """Run the stack that ``stack.json`` in the folder describes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("lock", type=int, help="file descriptor that every part inherits")
    options = parser.parse_args()
    logging.basicConfig(level="INFO", stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("azure").setLevel(logging.WARNING)
    home = Home(options.folder)
    Supervisor(home, home.read(), options.lock).run()


if __name__ == "__main__":
    main()
