"""Looks for everything that should not be after the runs of a seed have ended."""

import hashlib
import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from azure.core.exceptions import ResourceNotFoundError
from chaos.backends import OUTPUT, WORK, Blobs, Queues
from chaos.installation import Installation
from chaos.scenario import BACKENDS, SERVICES
from chaos.verdict import Run, Verdict

SETTLE = 45.0
"""Seconds after the runs' end in which nothing is left to do."""
CHILDREN: Mapping[str, int] = {"splitter": 3, "stitcher": 2}
"""Most decoders of a pod: one for each message that it handles at a time. One that was killed while it had nothing to
do counts, too: nobody waits for it before the next message."""
INTERMEDIATE = re.compile(r"(frames|styled|encoded)(\.\d+)?/")
"""Blobs of a run that are deleted when it has succeeded, unless the services keep them."""
LOOKOUT = "dead-letters.json"
"""The blob of no run, by which the dispatchers know who looks at the dead letters."""


@dataclass(frozen=True, slots=True)
class Remains:
    """What a run that succeeded has left."""

    outputs: tuple[str, ...]
    """SHA-256 of each."""
    blobs: Mapping[str, str]
    """Name after ``runs/RUN/`` → SHA-256 of the content where that is the same in every run, else empty."""


class Inspector:
    """Examines an installation between two seeds."""

    def __init__(self, installation: Installation, blobs: Blobs, queues: Queues) -> None:
        self._installation, self._blobs, self._queues = installation, blobs, queues

    def settle(self, verdict: Verdict) -> None:
        """Wait until all pods are back and nothing is left to do."""
        for run in verdict.runs:
            if not run.ended:
                verdict.problems.append(f"stands still: {run.run_id} is {run.state or 'not planned'}")
        end, calm = time.monotonic() + (0 if verdict.stuck else SETTLE), 0
        while calm < 2:
            depths = self._queues.depths()
            waiting = {name: depth for name, depth in depths.items() if depth.active or depth.scheduled}
            busy = self._busy()
            calm = 0 if waiting or busy else calm + 1
            if calm == 0 and time.monotonic() > end:
                verdict.problems.append(f"not settled: queues {waiting}, pods {busy}")
                return
            time.sleep(0.2)

    def _busy(self) -> list[str]:
        """Pods that have a message in hand, or are not back. The next seed need not wait for a scorer's model."""
        pods = self._installation.services()
        return [pod.name for pod in pods if pod.in_hand() != 0 or not (pod.service == "scorer" or pod.ready())]

    def examine(self, verdict: Verdict) -> None:
        """Look at everything but the runs' own blobs."""
        problems = verdict.problems
        for run in verdict.runs:
            if run.ended and run.state != "succeeded":
                error = json.dumps(self._blobs.status(run.run_id).get("error"))
                problems.append(f"run {run.state}: {run.run_id}: {error}")
        letters = self._queues.take_letters()
        verdict.letters = len(letters)
        problems += [f"letter: {letter}" for letter in letters]
        problems += [f"late blob of an earlier seed: {name}" for name in self._strange(verdict.runs)]
        folders = [self._installation.scratch, *(pod.temporary for pod in self._installation.pods.values())]
        for path in [path for folder in folders for path in folder.iterdir()]:
            problems.append(f"file left behind: {path.relative_to(self._installation.folder)}")
            _remove(path)
        problems += [f"process left behind: {process}" for process in self._installation.strays()]
        problems += [f"exit: {text}" for pod in self._installation.pods.values() for text in pod.exits]
        if not any(disturbance.cell.victim in BACKENDS for disturbance in verdict.scenario.disturbances):
            # A message cannot be handed back to a broker that is away.
            problems += [f"exit: {text}" for pod in self._installation.pods.values() for text in pod.drains]
        self._weigh(verdict)

    def _strange(self, runs: list[Run]) -> list[str]:
        """Blobs of no run of these, which are deleted."""
        mine = tuple(prefix for run in runs for prefix in (f"runs/{run.run_id}/", f"status/{run.run_id}."))
        mine += (LOOKOUT,)
        claims, ids = self._blobs.claims(), {run.run_id for run in runs}
        names = self._blobs.names(WORK)
        found = [name for name in names if not name.startswith(mine) and claims.get(name) not in ids]
        self._blobs.delete(WORK, found)
        return found

    def compare(self, verdict: Verdict, references: Mapping[tuple[str, ...], Remains]) -> None:
        """Compare outputs and blobs of the runs that succeeded with those of undisturbed runs, which kept them all."""
        keep, claims = verdict.scenario.keep, Counter(self._blobs.claims().values())
        for run in verdict.runs:
            if run.state == "succeeded":
                try:
                    wanted, found = references[run.models], self.remains(run.run_id)
                except ResourceNotFoundError as error:
                    verdict.problems.append(f"missing: an output of {run.run_id}: {error.message}")
                    continue
                run.identical = found.outputs == wanted.outputs
                if not run.identical:
                    verdict.problems.append(f"other bytes: the output of {run.run_id}")
                if claims[run.run_id] != len(wanted.outputs):
                    verdict.problems.append(f"claims: {run.run_id} has {claims[run.run_id]} names of outputs")
                kept = {name: sha for name, sha in wanted.blobs.items() if keep or not INTERMEDIATE.match(name)}
                verdict.problems += differences(f"runs/{run.run_id}/", kept, found.blobs)

    def remains(self, run_id: str) -> Remains:
        """What a run that succeeded has left."""
        prefix, blobs = f"runs/{run_id}/", dict[str, str]()
        for name in self._blobs.names(WORK, prefix):
            rest = name.removeprefix(prefix)
            blobs[rest] = _hash(self._blobs.read(WORK, name)) if INTERMEDIATE.match(rest) else ""
        return Remains(tuple(_hash(output) for output in self.outputs(run_id)), blobs)

    def outputs(self, run_id: str) -> list[bytes]:
        """The outputs of a run that succeeded."""
        status = self._blobs.status(run_id)
        refs = [status["output"], *status.get("more_outputs", ())]
        return [self._blobs.read(ref["container"], ref["name"]) for ref in refs]

    def _weigh(self, verdict: Verdict) -> None:
        for service in SERVICES:
            trees = [tree for pod in self._installation.victims(service) if (tree := pod.tree())]
            verdict.memory[service] = sum(_pss(process.pid) for tree in trees for process in tree)
            verdict.children[service] = children = max((len(tree) - 1 for tree in trees), default=0)
            if children > CHILDREN.get(service, 0):
                verdict.problems.append(f"process left behind: a {service} has {children} children")

    def save(self, verdict: Verdict, folder: Path) -> None:
        """Keep what is needed to look into a seed that failed, in a folder that is made anew."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for pod in self._installation.pods.values():
            (folder / f"{pod.name}.log").write_bytes(pod.said())
        disturbances = [str(disturbance) for disturbance in verdict.scenario.disturbances]
        sections = {"problems": verdict.problems, "disturbances": disturbances, "events": verdict.events}
        text = "\n".join(line for name, lines in sections.items() for line in (f"{name}:", *lines, ""))
        (folder / "verdict.txt").write_text(text)
        depths = [f"{name}: {depth}" for name, depth in self._queues.depths().items()]
        (folder / "queues.txt").write_text("\n".join(depths))
        for run in verdict.runs:
            status = json.dumps(self._blobs.status(run.run_id), indent=2)
            (folder / f"{run.run_id}.status.json").write_text(status)
            names = self._blobs.names(WORK, f"runs/{run.run_id}/")
            (folder / f"{run.run_id}.blobs.txt").write_text("\n".join(names))
            if not run.identical:
                for name in self._blobs.names(OUTPUT, run.run_id):
                    (folder / name.replace("/", "_")).write_bytes(self._blobs.read(OUTPUT, name))


def differences(prefix: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """How one run's blobs, with their hashes, differ from another's."""
    return [
        *(f"orphan: {prefix}{name}" for name in sorted(found.keys() - wanted.keys())),
        *(f"missing: {prefix}{name}" for name in sorted(wanted.keys() - found.keys())),
        *(f"other bytes: {prefix}{n}" for n in sorted(wanted.keys() & found.keys()) if wanted[n] != found[n]),
    ]


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _pss(pid: int) -> int:
    """Bytes that a process has in memory; a page that n processes share counts as 1/n for each."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
