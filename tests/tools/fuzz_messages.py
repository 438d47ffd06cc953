"""``make fuzz-messages``: mutated messages through the handlers of all queues; the tally goes into a document."""

import argparse
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.fuzz_messages import Tally, Target, small_film  # noqa: E402

LOG = ROOT / ".framebrush" / "fuzz-messages.log"
PAGE, MARKS = ROOT / "docs" / "reliability.md", ("<!-- fuzzed messages -->", "<!-- /fuzzed messages -->")


def table(tallies: dict[str, Tally], count: int) -> str:
    """Return the section between the marks."""
    today = datetime.now(UTC).date().isoformat()
    outcomes = sorted({outcome for tally in tallies.values() for outcome in tally.outcomes})
    rows = [
        f"| {outcome} | {' | '.join(f'{tally.outcomes[outcome]:,}' for tally in tallies.values())} |"
        for outcome in outcomes
    ]
    unharmed = " | ".join("yes" if tally.unharmed else "no" for tally in tallies.values())
    crashes = " | ".join(str(len(tally.crashes)) for tally in tallies.values())
    slowest = " | ".join(f"{tally.slowest:.2f} s" for tally in tallies.values())
    return "\n".join(
        [
            f"{count:,} messages per queue on {today}.",
            "",
            f"| | {' | '.join(f'`{queue}`' for queue in tallies)} |",
            f"|---|{'---:|' * len(tallies)}",
            *rows,
            f"| **crashes** | {crashes} |",
            f"| later runs unharmed | {unharmed} |",
            f"| slowest message | {slowest} |",
        ]
    )


def write(text: str) -> None:
    """Put the section into the page."""
    before, rest = PAGE.read_text().split(MARKS[0], 1)
    PAGE.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{rest.split(MARKS[1], 1)[1]}")


def main() -> None:
    """Mutate, handle, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="messages per queue")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--log", type=Path, default=LOG, help="the messages that crash a handler (%(default)s)")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    tallies = dict[str, Tally]()
    options.log.parent.mkdir(exist_ok=True)
    with TemporaryDirectory() as folder, options.log.open("w") as log:
        target = Target(small_film(Path(folder)))
        for queue in target.originals:
            tallies[queue] = target.fuzz(queue, range(options.first, options.first + options.count))
            print(queue, dict(tallies[queue].outcomes), *tallies[queue].crashes, sep="\n", file=log, flush=True)
    write(table(tallies, options.count))
    sys.exit(any(tally.crashes or not tally.unharmed for tally in tallies.values()))


if __name__ == "__main__":
    main()
