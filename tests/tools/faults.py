"""``make faults``: disturbs the connections of a running system; the tally goes into ``docs/reliability.md``."""

import argparse
import json
import signal
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.faults import KINDS, Kind  # noqa: E402
from support.wired import LIMIT, Outcome, Wired, wired  # noqa: E402

PAGE, MARKS = ROOT / "docs" / "reliability.md", ("<!-- faults -->", "<!-- /faults -->")
RESULTS = ROOT / "docs" / "faults.json"


def measure(system: Wired, kind: Kind, seeds: range, runs: int, flight: int) -> Outcome:
    """Disturb at least so many runs, a few at a time, and say how it went."""
    outcome, before = Outcome(kind.name, kind.backend), system.letters()
    for seed in seeds:
        if outcome.runs >= runs:
            break
        system.episode(kind, seed, flight, outcome)
    outcome.letters = system.letters() - before
    return outcome


def table(outcomes: list[Outcome]) -> str:
    """The section between the marks."""
    today = datetime.now(UTC).date().isoformat()
    runs = sum(outcome.runs for outcome in outcomes)
    right = sum(outcome.right for outcome in outcomes)
    rows = [
        f"| {each.backend} | {each.kind} | {each.runs} | {each.right} | {each.letters} | {each.slowest:.0f} s |"
        for each in outcomes
    ]
    return "\n".join(
        [
            f"{len(outcomes)} kinds of fault and {runs:,} runs on {today}: {right:,} runs ended within {LIMIT:g} s of "
            "the fault's end with the bytes of an undisturbed run.",
            "",
            "| before | fault | runs | ended right | dead letters | slowest after the fault's end |",
            "|---|---|---:|---:|---:|---:|",
            *rows,
        ]
    )


def keep(outcome: Outcome) -> None:
    """Put an outcome beside those of the other kinds, and all of them into the page."""
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    outcomes = {(each["backend"], each["kind"]): Outcome(**each) for each in found}
    outcomes[outcome.backend, outcome.kind] = outcome
    ordered = [outcomes[key] for kind in KINDS if (key := (kind.backend, kind.name)) in outcomes]
    RESULTS.write_text(json.dumps([asdict(each) for each in ordered], indent=1) + "\n")
    before, rest = PAGE.read_text().split(MARKS[0], 1)
    PAGE.write_text(f"{before}{MARKS[0]}\n\n{table(ordered)}\n\n{MARKS[1]}{rest.split(MARKS[1], 1)[1]}")


def main() -> None:
    """Disturb, count, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20, help="runs of each kind of fault, at least")
    parser.add_argument("--flight", type=int, default=10, help="runs that are in flight while a fault lasts")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--only", default="", help="kinds whose backend and name contain this text")
    parser.add_argument("--dry-run", action="store_true", help="writes nothing")
    options = parser.parse_args()
    kinds = [kind for kind in KINDS if options.only in str(kind)]
    bad, seeds = list[str](), range(options.seed, options.seed + options.runs)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    with TemporaryDirectory() as folder, wired(Path(folder)) as system:
        for kind in kinds:
            begun = time.monotonic()
            outcome = measure(system, kind, seeds, options.runs, options.flight)
            seconds = time.monotonic() - begun
            print(  # noqa: T201 - progress
                f"{kind}: {outcome.right} of {outcome.runs} right, {outcome.hits} hits, {outcome.letters} letters, "
                f"slowest {outcome.slowest:.0f} s after the end, {seconds:.0f} s in all",
                *outcome.problems,
                sep="\n  ",
                flush=True,
            )
            if not outcome.good:
                bad.append(str(kind))
            if not options.dry_run:
                keep(outcome)
    if bad:
        raise SystemExit(f"not healed: {', '.join(bad)}")


if __name__ == "__main__":
    main()
