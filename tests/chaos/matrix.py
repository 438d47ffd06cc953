"""``make chaos``: kill, end and freeze every part of an installation at seeded moments; the tally goes into
``docs/reliability.md``.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from chaos.backends import AWAY, Blobs, Queues  # noqa: E402
from chaos.inspection import Inspector, Remains  # noqa: E402
from chaos.installation import Installation  # noqa: E402
from chaos.scenario import MODELS, Scenario, draw  # noqa: E402
from chaos.tally import Tally, insert, table  # noqa: E402
from chaos.trial import Trial  # noqa: E402
from chaos.verdict import Verdict  # noqa: E402
from support.video import facts, make_video  # noqa: E402

PAGE, DOCUMENT = ROOT / "docs" / "reliability.md", ROOT / "docs" / "reliability.json"
FOLDER = ROOT / ".framebrush" / "chaos"
FRAMES = 96


def make_film(folder: Path) -> bytes:
    """96 frames at irregular times, short stereo sound; four segments of 12 frames, and one of three chunks."""
    random, times, now = Random(20261102), list[int](), 0
    for _ in range(FRAMES):
        times.append(now)
        now += random.choice((256, 512, 512, 768))
    path = make_video(
        folder / "film.mp4", size=(96, 64), pts=times, time_base=Fraction(1, 12800), gop=FRAMES,
        keyframes=range(0, FRAMES // 2 + 1, 12),
    )  # fmt: skip
    return path.read_bytes()


class Matrix:
    """An installation, and the seeds that are tried in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._film = make_film(folder)
        self._references = dict[tuple[str, ...], Remains]()
        """What undisturbed runs leave, intermediate blobs among them, by the models that they ask for."""
        self._installation: Installation | None = None
        self._blobs: Blobs
        self._queues: Queues
        self._inspector: Inspector

    def try_seed(self, seed: int) -> Verdict:
        """Try one seed; what is needed to look into a failure stays in a folder.

        A seed that leaves the installation unusable is followed by a fresh one.
        """
        trial = self._conduct(self.prepare(), draw(seed), compare=True)
        verdict = trial.verdict
        if not verdict.ok:
            with suppress(*AWAY):
                self._inspector.save(verdict, self.folder / f"seed-{seed}")
        try:
            trial.clear()
        except AWAY as error:
            verdict.problems.append(f"not settled: a backend stays away: {error}")
        if verdict.stuck:
            self.end()
        return verdict

    def prepare(self) -> Installation:
        """Have an installation, and know what runs leave that nothing disturbs.

        Raises:
            CommandFailed: Azurite or a service is not installed.
            RuntimeError: something is wrong even when nothing is disturbed.
        """
        installation = self._installation or self._install()
        if not self._references:
            self._learn(installation)
        return installation

    def _install(self) -> Installation:
        self._installation = installation = Installation(self.folder / "installation")
        installation.start_backends()
        self._blobs = Blobs(installation.storage)
        self._queues = Queues(installation.servicebus, installation.admin, installation.queues)
        self._inspector = Inspector(installation, self._blobs, self._queues)
        installation.start_services()
        return installation

    def _conduct(self, installation: Installation, scenario: Scenario, *, compare: bool) -> Trial:
        """Run a scenario until nothing is left to do, and look at everything; at the runs' own blobs if asked to."""
        installation.begin()
        trial = Trial(installation, self._blobs, self._queues, self._film, scenario, self._references)
        try:
            installation.set_keep(scenario.keep)
            trial.conduct()
            self._inspector.settle(trial.verdict)
            self._inspector.examine(trial.verdict)
            if compare:
                self._inspector.compare(trial.verdict, self._references)
        except AWAY as error:
            trial.verdict.problems.append(f"not settled: a backend stays away: {error}")
        return trial

    def _learn(self, installation: Installation) -> None:
        """See what undisturbed runs leave."""
        delays = tuple(0.0 for _ in MODELS)
        scenario = Scenario(-1, keep=True, models=MODELS, delays=delays, disturbances=())
        trial = self._conduct(installation, scenario, compare=False)
        verdict, wanted = trial.verdict, facts(self._film)
        if not verdict.ok:
            self._inspector.save(verdict, self.folder / "undisturbed")
            raise RuntimeError("\n".join([f"undisturbed, see {self.folder / 'undisturbed'}:", *verdict.problems]))
        for run in verdict.runs:
            for output in map(facts, self._inspector.outputs(run.run_id)):
                if (output.times, output.copied) != (wanted.times, wanted.copied):
                    raise RuntimeError(f"{run.run_id}: the output has other frames or sound than the input")
            self._references[run.models] = self._inspector.remains(run.run_id)
        trial.clear()

    def end(self) -> None:
        """End the installation."""
        if self._installation is not None:
            self._installation.end()
            self._installation = None


@contextmanager
def matrix(folder: Path) -> Iterator[Matrix]:
    """A matrix whose installation ends with the block."""
    found = Matrix(folder)
    try:
        yield found
    finally:
        found.end()


def in_order(seeds: Sequence[int]) -> list[int]:
    """Seeds with one setting after those with the other: changing it restarts pods."""
    return sorted(seeds, key=lambda seed: not draw(seed).keep)


def describe(verdict: Verdict) -> str:
    """One line about a seed, and one for each problem."""
    disturbances = "; ".join(map(str, verdict.scenario.disturbances))
    word = "ok" if verdict.ok else "FAILED"
    line = f"seed {verdict.scenario.seed}: {word} {verdict.seconds:.1f} s, {len(verdict.runs)} runs, {disturbances}"
    return "\n".join([line, *(f"    {problem}" for problem in verdict.problems[:20])])


def publish(tally: Tally, minutes: float) -> None:
    """Write the tally into the documents."""
    today = datetime.now(UTC).date().isoformat()
    document: dict[str, Any] = {"date": today, "minutes": round(minutes, 1)} | tally.as_dict()
    DOCUMENT.write_text(json.dumps(document, indent=2) + "\n")
    total = document["total"]
    head = (
        f"{total['seeds']} seeds on {document['date']} in {document['minutes']:g} minutes: "
        f"{total['identical']} of {total['runs']} runs identical, {total['letters']} dead letters, "
        f"{total['seeds_with_problems']} seeds with problems."
    )
    insert(PAGE, f"{head}\n\n{table(document)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the seeds; 1 if any fails."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many (%(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (%(default)s)")
    parser.add_argument("--seed", type=int, nargs="+", help="try these alone, and leave the documents as they are")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="installation and failed seeds (%(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="say what the seeds would do")
    options = parser.parse_args(arguments)
    seeds: Sequence[int] = options.seed or range(options.first, options.first + options.seeds)
    if options.dry_run:
        for seed in seeds:
            print(f"seed {seed}:", "; ".join(map(str, draw(seed).disturbances)))
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # or the pods would outlive the command
    tally, failed, begun = Tally(), list[int](), time.monotonic()
    try:
        with matrix(options.folder) as trials:
            for done, seed in enumerate(in_order(seeds), 1):
                verdict = trials.try_seed(seed)
                tally.add(verdict)
                failed += [] if verdict.ok else [seed]
                print(f"[{done}/{len(seeds)} {time.monotonic() - begun:.0f} s]", describe(verdict), flush=True)
                if not options.seed:  # after each, so that what was measured stays if the command is ended
                    publish(tally, (time.monotonic() - begun) / 60)
    finally:
        print("\n" + table(tally.as_dict()))
    if failed:
        print(f"\nfailed: {sorted(failed)}; see {options.folder}/seed-N, and repeat with `make chaos SEED=N`")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
