"""The whole system as child processes that a test may kill."""

import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from framebrush.runs import Runs
from framebrush.service import Settings
from framebrush.storage import AzureBlobs
from framebrush_cli.local import Part, probe


@dataclass
class System:
    """The parts of a local stack, each a process."""

    parts: dict[str, Part]
    environment: dict[str, str]
    logs: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str) -> None:
        part = self.parts[name]
        with (self.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                part.command, stdout=log, stderr=subprocess.STDOUT, env=self.environment | part.environment
            )

    def wait(self, name: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while (problem := probe(self.parts[name].probe)) is not None:
            assert time.monotonic() < end, f"{name} does not get ready: {problem}\n{self.log(name)}"
            assert self.processes[name].poll() is None, f"{name} ended:\n{self.log(name)}"
            time.sleep(0.05)

    def start_all(self, seconds: float = 60) -> None:
        """Start the backends, make the containers, start the services; all are ready then."""
        for kind in ("backend", "service"):
            names = [name for name, part in self.parts.items() if part.kind == kind]
            for name in names:
                self.start(name)
            for name in names:
                self.wait(name, seconds)
            if kind == "backend":
                AzureBlobs(self.settings).create_containers(self.settings.containers)

    def kill(self, name: str) -> None:
        self.processes[name].kill()
        self.processes.pop(name).wait()

    def stop(self, names: Iterable[str]) -> None:
        """Let processes drain, as a pod does that is taken down."""
        ending = [self.processes.pop(name) for name in names]
        for process in ending:
            process.terminate()
        for process in ending:
            assert process.wait(60) == 0, "a drain ends well"

    def end(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(60)

    def log(self, name: str) -> str:
        return "\n".join((self.logs / f"{name}.log").read_text().splitlines()[-20:])

    @property
    def settings(self) -> Settings:
        names = {name.removeprefix("FRAMEBRUSH_").lower(): value for name, value in self.environment.items()}
        return Settings.model_validate({name: value for name, value in names.items() if name.endswith("_string")})

    @property
    def runs(self) -> Runs:
        return Runs(AzureBlobs(self.settings), self.settings.work_container)
