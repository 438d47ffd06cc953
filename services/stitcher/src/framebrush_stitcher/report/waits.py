"""How long the work of a run lay before it was taken up."""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from framebrush.contracts import TaskTime
from framebrush_stitcher.report.figures import Figures, between


@dataclass(frozen=True, slots=True)
class Wait:
    """How long work lay before a stage took it up, in seconds."""

    name: str
    middle: float
    longest: float


@dataclass(frozen=True, slots=True)
class Queue:
    """How the messages of a stage came, in seconds since the run's start, or as lengths in seconds."""

    stage: str
    messages: int
    middle: float
    """How long a message lay in the queue."""
    longest: float
    came: float
    """When the first one came into the queue."""
    taken: float
    """When the first one was received."""
    cold: bool
    """Whether no pod that has worked for the run was up when the first one came: the stage started from zero."""
    again: int
    """The messages that were received more than once before their work was done."""


def queue_of(figures: Figures, stage: str) -> Queue | None:
    """Return how the messages of a stage came; None if that was not recorded."""
    messages, tasks = figures.messages_of(stage), figures.of(stage)
    if not messages:
        return None
    waits = [between(*message) for message in messages]
    came, taken = (min(message[place] for message in messages) for place in (0, 1))
    ups = [task.up for task in tasks if task.up is not None]
    again = {(task.queued, task.taken, task.pod) for task in figures.again(stage)}
    return Queue(
        stage, len(messages), median(waits), max(waits), figures.at(came), figures.at(taken),
        cold=bool(ups) and min(ups) > came, again=len(again),
    )  # fmt: skip


def waits_of(figures: Figures) -> list[Wait]:
    """Return how long work lay before each stage, from the end of what it needs: the start of pods included."""
    found = dict[str, list[float]]()
    split, scored = figures.of("split"), figures.of("scored")
    if split:
        found["from the request to the first frame"] = [between(figures.start, min(task.started for task in split))]
    packs = defaultdict[int, list[TaskTime]](list)
    for task in sorted(split, key=lambda task: task.first):
        packs[task.segment].append(task)
    for task in scored:
        those = packs[task.segment]
        place = bisect_right([pack.first for pack in those], task.first) - 1
        if place >= 0 and task.rendition == 0:
            found.setdefault("frames before they are scored", []).append(between(those[place].ended, task.started))
    last, chunks = dict[tuple[int, int, int], datetime](), sorted(figures.chunks)
    for task in scored:
        place = bisect_right(chunks, (task.segment, task.first)) - 1
        key = (*chunks[place], task.rendition)
        last[key] = max(last.get(key, task.ended), task.ended)
    finals = [task for task in figures.of("encoded") if (task.segment, task.first, task.rendition) in last]
    for task in finals:
        found.setdefault("chunks before they are encoded", []).append(
            between(last[task.segment, task.first, task.rendition], task.started)
        )
    if finals:
        end = max(task.ended for task in finals)
        found["all chunks before they are joined"] = [between(end, figures.report.stages["joined"].started)]
    return [Wait(name, median(times), max(times)) for name, times in found.items()]
