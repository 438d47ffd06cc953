"""``make fuzz``: mutated films through the four services; the tally goes into ``docs/video.md``."""

import argparse
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stderr
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.fuzz import MEMORY, WORDS, Tally, films, fuzz  # noqa: E402

PAGE = ROOT / "docs" / "video.md"
KINDS = {
    "fuzz": "",
    "broadcasts": r"\.(ts|m2ts|mxf|vob|mpg|3gp|flv|wmv|asf|ogv|dv|wtv|rm)$",
}
"""The kinds of films, as the marks in the page call them, and what is found in the names of their files."""
CHUNK = 50


def chunk(originals: dict[str, bytes], seeds: range, end: float) -> Tally:
    """A part of the work, in a process of its own."""
    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):  # noqa: PTH123 - not a path of ours
        return fuzz(originals, seeds, end)


def table(tally: Tally, count: int, originals: int) -> str:
    """The section between the marks."""
    today = datetime.now(UTC).date().isoformat()
    rows = [f"| {outcome} | {number} |" for outcome, number in tally.outcomes.most_common()]
    found = [word for word in WORDS.values() if not any(word in outcome for outcome in tally.outcomes)]
    rows += [f"| {word} | 0 |" for word in found]
    rows += [
        f"| processes left behind | {tally.left} |",
        f"| files left behind | {len(tally.leaked)} |",
    ]
    return "\n".join(
        [
            f"{count:,} files from {originals} films on {today}; slowest {tally.slowest:.1f} s, most memory of a "
            f"decoding process that was not stopped {tally.memory / 1e6:.0f} MB (limit {MEMORY} MB).",
            "",
            "| outcome | files |",
            "|---|---:|",
            *rows,
        ]
    )


def write(text: str, kind: str) -> None:
    """Put the section into the page."""
    first, last = f"<!-- {kind} -->", f"<!-- /{kind} -->"
    before, rest = PAGE.read_text().split(first, 1)
    PAGE.write_text(f"{before}{first}\n\n{text}\n\n{last}{rest.split(last, 1)[1]}")


def measure(originals: dict[str, bytes], seeds: range, processes: int, log: Path, minutes: float) -> Tally:
    """All seeds for which there is time; what to look at goes into the log."""
    spawn, tally, done = multiprocessing.get_context("spawn"), Tally(), 0
    with ProcessPoolExecutor(processes, mp_context=spawn) as pool, log.open("w") as file:
        parts: Iterable[range] = (seeds[first : first + CHUNK] for first in range(0, len(seeds), CHUNK))
        end = time.monotonic() + 60 * minutes
        for future in as_completed([pool.submit(chunk, originals, part, end) for part in parts]):
            part = future.result()
            tally.add(part)
            done += sum(part.outcomes.values())
            if part.outcomes:
                print(*part.notes, f"{done}: {dict(tally.outcomes)}", sep="\n", file=file, flush=True)
    return tally


def main() -> None:
    """Mutate, run, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS, default="fuzz", help="all films, or those of broadcasters and cameras")
    parser.add_argument("--minutes", type=float, default=math.inf, help="how long it may take")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--log", type=Path, default=Path("fuzz.log"), help="which files did what, and how far it is")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        originals = films(Path(folder), KINDS[options.kind])
    seeds = range(options.first, options.first + options.count)
    tally = measure(originals, seeds, options.processes, options.log, options.minutes)
    write(table(tally, sum(tally.outcomes.values()), len(originals)), options.kind)


if __name__ == "__main__":
    main()
