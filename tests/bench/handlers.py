"""Splitter and stitcher without broker and Azurite: seconds of a run, as JSON on standard output.

Runs with any version of the services that PYTHONPATH leads to; see ``compare.py``.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from framebrush.contracts import (
    BlobRef,
    Options,
    RunEncoded,
    RunRequest,
    SegmentPlanned,
    SegmentScored,
    Trigger,
)
from framebrush.runs import Runs
from framebrush.service import bound_arenas
from framebrush.storage import MemoryStore
from framebrush_splitter import __main__ as splitter
from framebrush_splitter.settings import SplitterSettings
from framebrush_stitcher import __main__ as stitcher
from framebrush_stitcher.settings import StitcherSettings

CONNECTIONS: dict[str, Any] = {"storage_connection_string": "unused", "servicebus_connection_string": "unused"}


@contextmanager
def measured(result: dict[str, dict[str, float]], name: str) -> Iterator[None]:
    """Seconds by the clock, and of CPU in this process and those that it has started."""
    cpu, begun = _cpu(), time.perf_counter()
    yield
    result[name] = {"wall": time.perf_counter() - begun, "cpu": _cpu() - cpu}


def _cpu() -> float:
    own = os.times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in psutil.Process().children(recursive=True):
        times = child.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def handlers(store: MemoryStore) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """The handlers of a splitter and of a stitcher."""
    split = splitter.make(SplitterSettings(**CONNECTIONS), store)
    return split, stitcher.make(StitcherSettings(**CONNECTIONS), store)


def one_run(
    store: MemoryStore, split: Callable[[Any], Any], stitch: Callable[[Any], Any], video: BlobRef, run_id: str
) -> dict[str, dict[str, float]]:
    """A run with the model ``identity``: the frames are styled as they are. x264 is to hide as little as it can."""
    result, runs = dict[str, dict[str, float]](), Runs(store, "work")
    request = RunRequest(run_id=run_id, input=video, options=Options(model="identity", preset="ultrafast"))
    with measured(result, "plan"):
        list(split(Trigger(requests=(request,))))
    with measured(result, "decode"):
        # All of them, where a dispatcher would hand out those behind the window.
        waiting = [SegmentPlanned(run_id=run_id, segment=each) for each in range(len(runs.manifest(run_id).segments))]
        while waiting:  # A long segment has further messages.
            waiting += [each for each in split(waiting.pop(0)) if isinstance(each, SegmentPlanned)]
    for blob in list(store.list("work", f"runs/{run_id}/frames/")):
        name = blob.ref.name.replace("/frames/", "/styled/")
        store.write(BlobRef(container="work", name=name), store.read(blob.ref), metadata=blob.metadata)
    with measured(result, "encode"):
        manifest = runs.manifest(run_id)
        for segment in range(len(manifest.segments)):
            for chunk in range(manifest.chunk_count(segment)):
                list(stitch(SegmentScored(run_id=run_id, segment=segment, chunk=chunk)))
    with measured(result, "join"):
        list(stitch(RunEncoded(run_id=run_id)))
    assert not runs.active(run_id)
    for blob in list(store.list("work")):
        store.delete([blob.ref])
    return result


def main() -> None:
    """Warm up, then measure."""
    video, times = Path(sys.argv[1]), int(sys.argv[2])
    logging.disable()
    bound_arenas()  # as the services do
    store, ref = MemoryStore(), BlobRef(container="input", name=video.name)
    store.write(ref, video.read_bytes())
    split, stitch = handlers(store)
    results = [one_run(store, split, stitch, ref, f"run-{number}") for number in range(times + 1)]
    print(json.dumps(results[1:]))  # noqa: T201


if __name__ == "__main__":
    main()
