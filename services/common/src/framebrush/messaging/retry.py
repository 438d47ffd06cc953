"""What becomes of a message: a pure function from the error and the number of attempts."""

from dataclasses import dataclass
from typing import TypeAlias

from framebrush.errors import (
    DeadlineExceeded,
    Draining,
    LockLost,
    PermanentError,
    TooManyDeliveries,
    Unavailable,
    Unfit,
)


@dataclass(frozen=True, slots=True)
class Complete:
    """Complete the message: its work is done."""


@dataclass(frozen=True, slots=True)
class HandBack:
    """Give the message to another process. This does not count as an attempt."""

    delay: float
    """The seconds until it may be received again."""
    suspect: bool = False
    """Whether the message may have made the process unfit. Then this counts as a delivery without an end."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave the message alone: the broker has given it to another process."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Let the message come again later."""

    delay: float
    """The seconds until it may be received again."""
    counted: bool
    """Whether this counts as an attempt of the message."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Put the message aside, with what a person needs to know."""

    reason: str
    description: str


Decision: TypeAlias = Complete | HandBack | Leave | Retry | DeadLetter


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how fast a message is tried again."""

    max_attempts: int = 5
    """The number of failed attempts after which a message is put aside."""
    max_deliveries: int = 8
    """The number of deliveries without an end after which a message is put aside unread."""
    base: float = 1.0
    """The seconds before the second attempt."""
    cap: float = 60.0
    """The largest number of seconds between two attempts."""
    outage: float = 5.0
    """The seconds to wait for a backend that is away, or for a process that is fit."""


def compute_backoff(attempt: int, policy: RetryPolicy, random: float) -> float:
    """Return the seconds to wait after failed attempt number ``attempt`` (1, 2, …): exponential with equal jitter.

    ``random`` in 0..1 picks a point in the upper half of the interval ("Exponential Backoff And Jitter", AWS
    Architecture Blog, 2015).
    """
    full = min(policy.cap, policy.base * 2.0 ** min(attempt - 1, 32))
    return full / 2 + random * full / 2


def decide(error: BaseException | None, attempt: int, policy: RetryPolicy, random: float) -> Decision:
    """Return what becomes of a message whose attempt number ``attempt`` (1, 2, …) ended with ``error``.

    Only the message's own errors count. An outage, or the end or unfitness of a process, never puts a message aside,
    however often it happens.

    Args:
        error: What the handler raised; None when it came to its end.
        attempt: One more than the failed attempts before this one.
        policy: How often and how fast the message is tried again.
        random: A number in 0..1 that spreads the pauses.
    """
    match error:
        case None:
            return Complete()
        case LockLost():
            return Leave()
        case Draining():
            return HandBack(0.0)
        case Unfit():  # Without the pause, another process that is about to be unfit would take the message at once.
            return HandBack(policy.outage * (0.5 + random), suspect=error.suspect)
        case PermanentError():
            return DeadLetter(error.reason, str(error))
        case Unavailable():
            return Retry(policy.outage * (0.5 + random), counted=False)
    if attempt < policy.max_attempts:
        return Retry(compute_backoff(attempt, policy, random), counted=True)
    reason = "deadline_exceeded" if isinstance(error, DeadlineExceeded) else "handler_failed"
    return DeadLetter(reason, f"{type(error).__name__}: {error} (attempt {attempt} of {policy.max_attempts})")


def check_deliveries(deliveries: int, policy: RetryPolicy) -> None:
    """Refuse a message that was delivered too often without an end, before it is handled again.

    A delivery has no end when the process died, stood still until the lock was lost, or became unfit over it. The
    broker counts these deliveries, too. But at its own limit the dispatcher gets no notice, and a person gets no
    description.

    Args:
        deliveries: How often that happened.
        policy: How often it may happen.

    Raises:
        TooManyDeliveries: It happened as often as the policy allows.
    """
    if deliveries >= policy.max_deliveries:
        raise TooManyDeliveries(
            f"{deliveries} processes died, stood still or became unfit while they had this message, which may be why"
        )
