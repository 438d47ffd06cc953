"""The flow of a run through the queues: who consumes each of them, and where the messages that follow go.

=========  =============================================  ==========
queue      messages                                       consumer
=========  =============================================  ==========
triggers   :class:`~framebrush.contracts.Trigger`         splitter
splits     :class:`~framebrush.contracts.SegmentPlanned`  splitter
frames     :class:`~framebrush.contracts.PackReady`,      dispatcher
           :class:`~framebrush.contracts.ItemFailed`
batches    :class:`~framebrush.contracts.BatchReady`      scorer
events     :class:`~framebrush.contracts.BatchScored`,    dispatcher
           :class:`~framebrush.contracts.SegmentEncoded`
scored     :class:`~framebrush.contracts.SegmentScored`,  stitcher
           :class:`~framebrush.contracts.RunEncoded`
learnings  :class:`~framebrush.contracts.LearnRequest`,    learner
           :class:`~framebrush.contracts.LearningTurn`
=========  =============================================  ==========
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of the messages of one queue."""

    service: str
    """The service that consumes the queue."""
    sends: tuple[str, ...]
    """The queues to which the messages go that usually follow. A worker connects to them ahead of the first message."""
    slots: int | None = None
    """Messages that one pod handles at a time; the setting ``concurrency`` decides if this is None."""


FLOW = {
    "triggers": Step("splitter", sends=("triggers", "splits"), slots=1),
    "splits": Step("splitter", sends=("frames",)),
    "frames": Step("dispatcher", sends=("batches",)),
    "batches": Step("scorer", sends=("events",)),
    "events": Step("dispatcher", sends=("scored", "splits")),
    "scored": Step("stitcher", sends=("events",)),
    "learnings": Step("learner", sends=("learnings",), slots=1),
}
"""Every queue and its step: those of runs in the order in which a run passes them, then that of learning jobs."""

QUEUES = tuple(FLOW)
"""The names of all queues."""
