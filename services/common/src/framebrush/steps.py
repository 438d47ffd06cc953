"""What the message in hand is about, when it came, and how long the steps of its work took."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a message came."""

    queued: datetime
    """When it came into its queue, by the broker's clock; where it was scheduled, the time that was set."""
    taken: datetime
    """When it was received."""
    attempt: int
    """How often it was received, this time included."""


@dataclass(slots=True)
class Work:
    """The facts of a message, and the seconds of its steps. Threads that work on a message share it."""

    delivery: Delivery | None = None
    facts: dict[str, object] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)


_work: ContextVar[Work | None] = ContextVar("work", default=None)


@contextmanager
def collected(delivery: Delivery | None = None) -> Iterator[None]:
    """Collect facts and steps within the block, which is one message's."""
    token = _work.set(Work(delivery))
    try:
        yield
    finally:
        _work.reset(token)


def describe(**facts: object) -> None:
    """Note what the message in hand is about; facts that are None say nothing. A later fact replaces an earlier one."""
    if (work := _work.get()) is not None:
        with work.guard:
            work.facts.update({name: fact for name, fact in facts.items() if fact is not None})


def delivery() -> Delivery | None:
    """Return how the message in hand came; None if there is none, or if the broker does not say when it came."""
    work = _work.get()
    return work.delivery if work is not None else None


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Add the time of the block to a step. Of a step that threads do at the same time, their times add up."""
    begun = time.monotonic()
    try:
        yield
    finally:
        if (work := _work.get()) is not None:
            with work.guard:
                work.seconds[step] = work.seconds.get(step, 0.0) + time.monotonic() - begun


def summary() -> Mapping[str, object]:
    """Return the facts, and as ``milliseconds`` those of each step. It is empty outside of a message."""
    work = _work.get()
    if work is None:
        return {}
    with work.guard:
        steps = {step: round(1000 * seconds, 1) for step, seconds in work.seconds.items()}
        return work.facts | ({"milliseconds": steps} if steps else {})
