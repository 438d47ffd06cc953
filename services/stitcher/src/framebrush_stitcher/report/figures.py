"""The figures of a run, computed from what its stages recorded."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from statistics import median
from typing import Protocol

from framebrush.contracts import Report, TaskTime

STAGES = ("split", "scored", "encoded")
"""The stages that work on frames."""
WORK = ("planned", *STAGES, "joined")
"""All that pods do for a run, in the order of a frame."""
BINS = 60
"""The number of parts of the run's time for which throughput is told."""
OPERATIONS = 3
"""The operations of the bus for each message: it is sent, received and completed."""
MONTH = 730 * 3600.0
"""The seconds of a month, as Azure bills it."""


class Prices(Protocol):
    """The price table of the settings."""

    @property
    def price_scorer_hour(self) -> float:
        """An hour of a pod that scores."""

    @property
    def price_cpu_hour(self) -> float:
        """An hour of a pod that splits or stitches."""

    @property
    def price_storage_month(self) -> float:
        """A month of 10^9 bytes."""

    @property
    def price_writes(self) -> float:
        """10,000 writes of a blob."""

    @property
    def price_operations(self) -> float:
        """A million operations of the bus."""


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


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost by the price table, in its currency."""

    gpu: float
    cpu: float
    storage: float
    bus: float

    @property
    def total(self) -> float:
        """Return the sum."""
        return self.gpu + self.cpu + self.storage + self.bus


class Figures:
    """The figures of one run. All times are seconds since ``start``, or lengths in seconds."""

    def __init__(self, report: Report, tasks: Sequence[TaskTime], created: datetime, sizes: Mapping[str, int]) -> None:
        """Set what is known.

        Args:
            report: The report of the run.
            tasks: The pieces of its work.
            created: When the run was created.
            sizes: The sizes of the files that stay, in bytes: the input, and each output by its name.
        """
        self.report, self.sizes = report, sizes
        self.tasks = [task for task in tasks if task.stage in STAGES]
        self.all = tasks
        joined = report.stages["joined"]
        begins = (moment for task in tasks for moment in (task.started, task.queued) if moment is not None)
        self.start = min([created, *begins])
        self.seconds = (joined.ended - self.start).total_seconds()

    def at(self, moment: datetime) -> float:
        """Return a moment in seconds since the start."""
        return (moment - self.start).total_seconds()

    def of(self, stage: str) -> list[TaskTime]:
        """Return the pieces of work of a stage."""
        return [task for task in self.all if task.stage == stage]

    def spans(self, stage: str) -> list[tuple[str, float, float]]:
        """Return the times in which each pod had work of a stage: the pod, the beginning, and the end.

        Pieces of work that overlap are one span. That of ``joined`` has no pod in the records of earlier releases.
        """
        if stage == "joined" and not self.of(stage):
            timing = self.report.stages[stage]
            return [("", self.at(timing.started), self.at(timing.ended))]
        pods = defaultdict[str, list[tuple[float, float]]](list)
        for task in self.of(stage):
            pods[task.pod].append((self.at(task.started), self.at(task.ended)))
        return [(pod, *span) for pod in sorted(pods) for span in _united(pods[pod])]

    def pod_seconds(self, *stages: str) -> float:
        """Return the seconds in which pods had work of these stages, summed over the pods."""
        return sum(end - begin for stage in stages for _, begin, end in self.spans(stage))

    def waiting(self, stage: str) -> list[tuple[float, float]]:
        """Return the times in which at least one message of a stage lay in its queue."""
        return _united([(self.at(queued), self.at(taken)) for queued, taken in self._messages(stage)])

    def starts(self, stage: str) -> dict[str, tuple[float, float]]:
        """Return when pods were started during the run, and when each received its first message, by their names.

        A pod that works for several stages is only in the one of its first message.
        """
        firsts = dict[str, tuple[datetime, datetime, str]]()
        for task in self.all:
            if task.up is not None and task.taken is not None:
                facts = (task.taken, min(task.up, task.taken), task.stage)
                firsts[task.pod] = min(firsts.get(task.pod, facts), facts)
        return {
            pod: (self.at(up), self.at(taken))
            for pod, (taken, up, first) in firsts.items()
            if first == stage and up > self.start
        }

    def again(self, stage: str) -> list[TaskTime]:
        """Return the pieces of work whose messages were received more than once."""
        return [task for task in self.of(stage) if task.attempt > 1]

    def queue(self, stage: str) -> Queue | None:
        """Return how the messages of a stage came; None if that was not recorded."""
        messages, tasks = self._messages(stage), self.of(stage)
        if not messages:
            return None
        waits = [_between(*message) for message in messages]
        came, taken = (min(message[place] for message in messages) for place in (0, 1))
        ups = [task.up for task in tasks if task.up is not None]
        again = {(task.queued, task.taken, task.pod) for task in self.again(stage)}
        return Queue(
            stage, len(messages), median(waits), max(waits), self.at(came), self.at(taken),
            cold=bool(ups) and min(ups) > came, again=len(again),
        )  # fmt: skip

    def _messages(self, stage: str) -> list[tuple[datetime, datetime]]:
        """Return when each message of a stage came and was received, in increasing order."""
        found = {(task.queued, task.taken, task.pod) for task in self.of(stage)}
        return sorted((queued, taken) for queued, taken, _ in found if queued is not None and taken is not None)

    def throughput(self, stage: str) -> list[float]:
        """Return the frames per second in each of :data:`BINS` equal parts of the run.

        The frames of a piece of work count evenly from its beginning to its end, and a frame counts in each rendition.
        """
        width, rates = max(self.seconds, 1e-6) / BINS, [0.0] * BINS
        for task in self.of(stage):
            begin, end = self.at(task.started), self.at(task.ended)
            if end - begin < 1e-6:
                rates[min(BINS - 1, int(begin / width))] += task.frames / width
                continue
            for number in range(int(begin / width), min(BINS - 1, int(end / width)) + 1):
                shared = min(end, (number + 1) * width) - max(begin, number * width)
                rates[number] += task.frames * max(0.0, shared) / (end - begin) / width
        return rates

    def per_frame(self, stage: str) -> list[float]:
        """Return the seconds per frame of each piece of work, in increasing order."""
        return sorted(seconds_per_frame(task) for task in self.of(stage))

    def slowest(self, count: int = 10) -> list[TaskTime]:
        """Return the pieces of work that took most time per frame, the slowest first."""
        return sorted(self.tasks, key=seconds_per_frame, reverse=True)[:count]

    def waits(self) -> list[Wait]:
        """Return how long work lay before each stage, from the end of what it needs: the start of pods included."""
        found = dict[str, list[float]]()
        split, scored = self.of("split"), self.of("scored")
        if split:
            found["from the request to the first frame"] = [_between(self.start, min(task.started for task in split))]
        packs = defaultdict[int, list[TaskTime]](list)
        for task in sorted(split, key=lambda task: task.first):
            packs[task.segment].append(task)
        for task in scored:
            those = packs[task.segment]
            place = bisect_right([pack.first for pack in those], task.first) - 1
            if place >= 0 and task.rendition == 0:
                found.setdefault("frames before they are scored", []).append(_between(those[place].ended, task.started))
        last, chunks = dict[tuple[int, int, int], datetime](), sorted(self.chunks)
        for task in scored:
            place = bisect_right(chunks, (task.segment, task.first)) - 1
            key = (*chunks[place], task.rendition)
            last[key] = max(last.get(key, task.ended), task.ended)
        finals = [task for task in self.of("encoded") if (task.segment, task.first, task.rendition) in last]
        for task in finals:
            found.setdefault("chunks before they are encoded", []).append(
                _between(last[task.segment, task.first, task.rendition], task.started)
            )
        if finals:
            end = max(task.ended for task in finals)
            found["all chunks before they are joined"] = [_between(end, self.report.stages["joined"].started)]
        return [Wait(name, median(times), max(times)) for name, times in found.items()]

    def bytes_of(self, stage: str) -> int:
        """Return the bytes of the blobs that a stage made."""
        return sum(task.size for task in self.of(stage))

    @property
    def segments(self) -> int:
        """Return the number of segments."""
        return len({task.segment for task in self.of("split")})

    @property
    def chunks(self) -> set[tuple[int, int]]:
        """Return the chunks, each as its segment and the number of its first frame there."""
        return {(task.segment, task.first) for task in self.of("encoded")}

    @property
    def writes(self) -> int:
        """Return the number of blobs of packs, timelines, encoded chunks, records of these, and outputs.

        Statuses and other documents of the run are not counted.
        """
        return len(self.tasks) + len(self.chunks) + len(self.of("encoded")) + 1 + len(self.report.more_outputs)

    @property
    def messages(self) -> int:
        """Return the number of messages of a run in which nothing came twice.

        They are the request, one for each segment and pack, two for each chunk and batch, and the one that joins.
        """
        batches = len({(task.segment, task.first) for task in self.of("scored")})
        return 2 + self.segments + 2 * len(self.chunks) + len(self.of("split")) + 2 * batches

    def cost(self, prices: Prices) -> Cost:
        """Return an estimate of the cost: of the time in which pods had work, and of the blobs until the run's end."""
        kept = sum(task.size * (self.seconds - self.at(task.ended)) for task in self.tasks)
        return Cost(
            gpu=self.pod_seconds("scored") / 3600 * prices.price_scorer_hour,
            cpu=self.pod_seconds("planned", "split", "encoded", "joined") / 3600 * prices.price_cpu_hour,
            storage=self.writes / 10_000 * prices.price_writes + kept / 10**9 / MONTH * prices.price_storage_month,
            bus=self.messages * OPERATIONS / 10**6 * prices.price_operations,
        )


def seconds_per_frame(task: TaskTime) -> float:
    """Return the seconds that a piece of work took, per frame."""
    return (task.ended - task.started).total_seconds() / task.frames


def quantile(ordered: Sequence[float], part: float) -> float:
    """Return the value below which this part of the values lies; ``ordered`` is not empty and increases."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _between(earlier: datetime, later: datetime) -> float:
    return max(0.0, (later - earlier).total_seconds())


def _united(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    united = list[tuple[float, float]]()
    for begin, end in sorted(spans):
        if united and begin <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        else:
            united.append((begin, end))
    assert all(first[1] < second[0] for first, second in pairwise(united))  # noqa: S101 - what the sum relies on
    return united
