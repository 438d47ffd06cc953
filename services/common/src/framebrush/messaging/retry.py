"""What becomes of a message: a pure function from the error and the number of attempts."""

from dataclasses import dataclass
from typing import TypeAlias

from framebrush.errors import DeadlineExceeded, Draining, LockLost, PermanentError, Unavailable


@dataclass(frozen=True, slots=True)
class Complete:
    """Done."""


@dataclass(frozen=True, slots=True)
class Abandon:
    """Hand it back, at once."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Somebody else has it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Come again later."""

    delay: float
    """Seconds."""
    counted: bool
    """Whether this was an attempt of the message's own."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Put it aside, with what a person needs to know."""

    reason: str
    description: str


Decision: TypeAlias = Complete | Abandon | Leave | Retry | DeadLetter


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how fast."""

    max_attempts: int = 5
    base: float = 1.0
    """Seconds before the second attempt."""
    cap: float = 60.0
    """Most seconds between two attempts."""
    outage: float = 5.0
    """Seconds to wait for a backend that is away."""


def compute_backoff(attempt: int, policy: RetryPolicy, random: float) -> float:
    """Seconds to wait after failed attempt number ``attempt`` (1, 2, …): exponential with equal jitter.

    ``random`` in 0..1 picks a point in the upper half of the interval ("Exponential Backoff And Jitter", AWS
    Architecture Blog, 2015).
    """
    full = min(policy.cap, policy.base * 2.0 ** min(attempt - 1, 32))
    return full / 2 + random * full / 2


def decide(error: BaseException | None, attempt: int, policy: RetryPolicy, random: float) -> Decision:
    """The decision after attempt number ``attempt`` (1, 2, …) ended with ``error``."""
    match error:
        case None:
            return Complete()
        case LockLost():
            return Leave()
        case Draining():
            return Abandon()
        case PermanentError():
            return DeadLetter(error.reason, str(error))
        case Unavailable():
            return Retry(policy.outage * (0.5 + random), counted=False)
    if attempt < policy.max_attempts:
        return Retry(compute_backoff(attempt, policy, random), counted=True)
    reason = "deadline_exceeded" if isinstance(error, DeadlineExceeded) else "handler_failed"
    return DeadLetter(reason, f"{type(error).__name__}: {error} (attempt {attempt} of {policy.max_attempts})")
