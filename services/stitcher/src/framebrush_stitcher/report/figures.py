"""The figures of a run, computed from what its stages recorded."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from framebrush.contracts import Report, TaskTime

STAGES = ("split", "scored", "encoded")
"""The stages that work on frames."""
WORK = ("planned", *STAGES, "joined")
"""All that pods do for a run, in the order of a frame."""
BINS = 60
"""The number of parts of the run's time for which throughput is told."""


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
        return [(pod, *span) for pod in sorted(pods) for span in united_spans(pods[pod])]

    def pod_seconds(self, *stages: str) -> float:
        """Return the seconds in which pods had work of these stages, summed over the pods."""
        return sum(end - begin for stage in stages for _, begin, end in self.spans(stage))

    def waiting(self, stage: str) -> list[tuple[float, float]]:
        """Return the times in which at least one message of a stage lay in its queue."""
        return united_spans([(self.at(queued), self.at(taken)) for queued, taken in self.messages_of(stage)])

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

    def messages_of(self, stage: str) -> list[tuple[datetime, datetime]]:
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


def seconds_per_frame(task: TaskTime) -> float:
    """Return the seconds that a piece of work took, per frame."""
    return (task.ended - task.started).total_seconds() / task.frames


def quantile(ordered: Sequence[float], part: float) -> float:
    """Return the value below which this part of the values lies; ``ordered`` is not empty and increases."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def between(earlier: datetime, later: datetime) -> float:
    """Return the seconds between two moments, 0 if the clocks of two pods have them the other way round."""
    return max(0.0, (later - earlier).total_seconds())


def united_spans(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the spans of which no two overlap, in increasing order, that cover the same time."""
    united = list[tuple[float, float]]()
    for begin, end in sorted(spans):
        if united and begin <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        else:
            united.append((begin, end))
    assert all(first[1] < second[0] for first, second in pairwise(united))  # noqa: S101 - what the sum relies on
    return united
