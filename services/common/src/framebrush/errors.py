"""What can go wrong, and what the worker does about it.

::

    FramebrushError
    ├── PermanentError           trying again cannot help: dead-letter, with a reason
    │   ├── InvalidMessage       not JSON, wrong version, a field missing or malformed
    │   ├── InvalidVideo         not a video, no video stream, undecodable
    │   ├── LimitExceeded        larger or longer than this installation accepts
    │   ├── BlobNotFound         a blob that should be there is not
    │   ├── InputChanged         the input blob was overwritten while a run read it
    │   ├── RunExists            a run id is taken by another request
    │   └── OutputTaken          an output's name belongs to another run, or to a blob that no run wrote
    ├── Crashed                  a helper process was killed from outside: counts as an attempt
    ├── Conflict                 a conditional write lost: somebody else wrote first
    └── Unavailable              a backend is away or throttles: wait, not counted as an attempt

    Interrupt (BaseException)    raised *into* a handler's thread by the worker
    ├── DeadlineExceeded         the message took longer than its timeout: counts as an attempt
    ├── LockLost                 the broker gave the message to somebody else: leave it alone
    └── Draining                 the process ends: hand the message back
"""

from typing import ClassVar, Self


class FramebrushError(Exception):
    """Base of everything this project raises on purpose."""


class PermanentError(FramebrushError):
    """The same input will fail the same way again."""

    reason: ClassVar[str] = "permanent_error"
    #: A stable code in snake_case: the dead-letter reason, and ``status.error.reason``.


class InvalidMessage(PermanentError):
    """A message that does not follow its contract; the text names the field."""

    reason = "invalid_message"


class InvalidVideo(PermanentError):
    """The input cannot be read as a video."""

    reason = "invalid_video"


class LimitExceeded(PermanentError):
    """The input is larger or longer than this installation accepts; the text names the setting."""

    reason = "limit_exceeded"

    @classmethod
    def of(cls, found: str, limit: str, setting: str) -> Self:
        """The same words for every limit.

        Args:
            found: What is too much.
            limit: As it is set, with its unit.
            setting: Its name without ``FRAMEBRUSH_``.
        """
        return cls(f"{found} than {limit}: if that is wanted, raise FRAMEBRUSH_{setting}")


class BlobNotFound(PermanentError):
    """A blob, or its container, does not exist."""

    reason = "blob_not_found"


class InputChanged(PermanentError):
    """The input blob is not the one that the run was planned from."""

    reason = "input_changed"


class RunExists(PermanentError):
    """The run id is taken by a different request; the run that has it goes on unharmed."""

    reason = "run_exists"


class OutputTaken(PermanentError):
    """The name of an output belongs to another run, or to a blob that no run wrote; that blob stays as it is."""

    reason = "output_taken"


class Crashed(FramebrushError):
    """A helper process was killed. Whoever did that, the file cannot: it is worth another attempt."""


class Conflict(FramebrushError):
    """A conditional write found another version than it expected."""


class Unavailable(FramebrushError):
    """Storage or the broker cannot be reached, or asks to slow down."""


class Interrupt(BaseException):
    """Raised into a handler's thread; not an ``Exception``, so that no handler swallows it."""


class DeadlineExceeded(Interrupt):
    """The message timeout passed."""


class LockLost(Interrupt):
    """The lock of the message could not be renewed in time."""


class Draining(Interrupt):
    """The grace period after SIGTERM is over."""


def permanent(reason: str, text: str) -> PermanentError:
    """The permanent error of a reason, as another process tells it."""
    kinds = [PermanentError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return next((kind for kind in kinds if kind.reason == reason), PermanentError)(text)
