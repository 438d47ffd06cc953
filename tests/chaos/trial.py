"""One seed: submit its runs and disturb its victims until all runs have ended."""

import threading
import time
from collections import Counter
from collections.abc import Mapping

from chaos.backends import ENDED, INPUT, OUTPUT, WORK, Blobs, Queues
from chaos.inspection import Remains
from chaos.installation import Installation, thaw
from chaos.scenario import Disturbance, Kind, Scenario, Stage
from chaos.verdict import Run, Verdict
from psutil import Process

PATIENCE = 90.0
"""Seconds after the last disturbance has ended in which all runs end."""

PATIENCE_IN_HAND = 1.0
"""Seconds for which a disturbance waits until its victim has a message in hand."""


class Trial:
    """Conducts one scenario in an installation."""

    def __init__(
        self,
        installation: Installation,
        blobs: Blobs,
        queues: Queues,
        film: bytes,
        scenario: Scenario,
        references: Mapping[tuple[str, ...], Remains],
    ) -> None:
        self._installation, self._blobs, self._queues = installation, blobs, queues
        self._film, self._references = film, references
        self._prefix = f"seed-{scenario.seed}-"
        runs = [
            Run(f"{self._prefix}{number}", models, delay)
            for number, (models, delay) in enumerate(zip(scenario.models, scenario.delays, strict=True))
        ]
        self.verdict = Verdict(scenario, runs)
        self._begun = time.monotonic()

    def conduct(self) -> None:
        """Submit, disturb, and wait until all runs have ended, or stand still."""
        verdict, strikes = self.verdict, list[threading.Thread]()
        pending = dict(enumerate(verdict.scenario.disturbances))
        patience = time.monotonic() + PATIENCE
        while pending or any(strike.is_alive() for strike in strikes) or not all(run.ended for run in verdict.runs):
            self._submit()
            self._follow()
            progress = self._progress() if pending else Counter[tuple[str, str]]()
            for index, disturbance in list(pending.items()):
                if self._due(disturbance, progress):
                    strike = threading.Thread(target=self._strike, args=(index, disturbance), daemon=True)
                    strike.start()
                    strikes.append(strike)
                    del pending[index]
            if any(strike.is_alive() for strike in strikes):
                patience = time.monotonic() + PATIENCE
            if time.monotonic() > patience:
                break
            time.sleep(0.1 if pending else 0.25)
        verdict.seconds = self._now()

    def _now(self) -> float:
        return time.monotonic() - self._begun

    def _say(self, text: str) -> None:
        self.verdict.events.append(f"{self._now():7.2f} s  {text}")

    def _submit(self) -> None:
        """Submit the runs whose time has come."""
        for run in self.verdict.runs:
            if not run.submitted and self._now() >= run.delay:
                self._blobs.write(INPUT, run.blob, self._film)
                self._queues.submit(run.run_id, run.blob, run.models)
                run.submitted = self._now()
                self._say(f"{run.run_id} submitted: {', '.join(run.models)}")

    def _follow(self) -> None:
        """Note how the runs stand."""
        states = self._blobs.states(self._prefix)
        for run in self.verdict.runs:
            run.state = states.get(run.run_id, run.state)
            if run.state in ENDED and not run.ended:
                run.ended = self._now()
                self._say(f"{run.run_id} {run.state}")

    def _progress(self) -> Counter[tuple[str, str]]:
        """How many blobs each run has in each of its folders."""
        names = (name.split("/") for name in self._blobs.names(WORK, f"runs/{self._prefix}"))
        return Counter((run_id, folder) for _, run_id, folder, *_ in names)

    def _due(self, disturbance: Disturbance, progress: Mapping[tuple[str, str], int]) -> bool:
        """Whether the moment has come, or will never come, since the run has ended."""
        moment = disturbance.moment
        run = self.verdict.runs[moment.run]
        if not run.submitted:
            return False
        if run.ended or moment.stage is Stage.SUBMITTED:
            return True
        last = len(run.models) - 1
        folder = f"{moment.stage}.{last}" if last and moment.stage is not Stage.SPLIT else moment.stage.value
        total = sum(name.startswith(f"{folder}/") for name in self._references[run.models].blobs)
        return progress.get((run.run_id, folder), 0) >= moment.share * total

    def _strike(self, index: int, disturbance: Disturbance) -> None:
        """Disturb, and undo it where that is part of it."""
        cell = disturbance.cell
        service, part_of_it, _ = cell.victim.partition("'")
        pods = [self._installation.victims(service)[number] for number in disturbance.pods]
        names = ", ".join(pod.name for pod in pods)
        time.sleep(disturbance.moment.jitter)
        if disturbance.in_hand:
            end = time.monotonic() + PATIENCE_IN_HAND
            while not any(pod.in_hand() for pod in pods) and time.monotonic() < end:
                time.sleep(0.02)
            time.sleep(disturbance.moment.jitter / 5)
        self.verdict.struck[index] = sum(bool(run.submitted) and not run.ended for run in self.verdict.runs)
        if part_of_it:
            count = sum(pod.kill_children() for pod in pods)
            self._say(f"{cell.kind} {count} decoders of {names}")
            return
        frozen = list[Process]()
        for pod in pods:
            match cell.kind:
                case Kind.KILL:
                    pod.kill()
                case Kind.TERMINATE:
                    pod.terminate()
                case Kind.FREEZE:
                    frozen += pod.freeze()
        self._say(f"{cell.kind} {names}")
        if frozen:
            time.sleep(disturbance.seconds)
            thaw(frozen)
            self._say(f"SIGCONT {names}")

    def clear(self) -> None:
        """Delete the runs' blobs."""
        ids = {run.run_id for run in self.verdict.runs}
        self._blobs.delete(WORK, [name for name, run_id in self._blobs.claims().items() if run_id in ids])
        for run in self.verdict.runs:
            self._blobs.delete(OUTPUT, self._blobs.names(OUTPUT, run.run_id))
            self._blobs.delete(INPUT, [run.blob])
            self._blobs.delete(WORK, [*self._blobs.names(WORK, f"runs/{run.run_id}/"), f"status/{run.run_id}.json"])
