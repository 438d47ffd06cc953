"""The kinds of faults, and what the worker does about each.

::

    FramebrushError
    ├── PermanentError           trying again cannot help: dead-letter, with a reason
    │   ├── InvalidMessage       not JSON, wrong version, a field missing or malformed
    │   ├── InvalidVideo         not a video, no video stream, undecodable
    │   ├── LimitExceeded        larger or longer than this installation accepts
    │   ├── BlobNotFound         a blob that should be there is not
    │   ├── AccessDenied         a container that a request names is not open to us
    │   ├── InputChanged         the input blob was overwritten while a run read it
    │   ├── RunExists            a run id is taken by another request
    │   ├── OutputTaken          an output's name belongs to another run, or to a blob that no run wrote
    │   ├── MessageTooLarge      a message is larger than the broker takes
    │   └── TooManyDeliveries    processes keep dying, standing still or becoming unfit over a message
    ├── Crashed                  a helper process was killed from outside: counts as an attempt
    ├── Conflict                 a conditional write lost: somebody else wrote first
    ├── Unavailable              a backend is away or throttles: wait, not counted as an attempt
    └── Unfit                    this process cannot do its work: hand every message back, end, be started anew

    Interrupt (BaseException)    raised *into* a handler's thread by the worker
    ├── DeadlineExceeded         the message took longer than its timeout: counts as an attempt
    ├── LockLost                 the broker gave the message to somebody else: leave it alone
    └── Draining                 the process ends: hand the message back
"""

import re
from typing import ClassVar, Self


class FramebrushError(Exception):
    """The base of all errors that this project raises on purpose."""


class PermanentError(FramebrushError):
    """The same input will fail the same way again."""

    reason: ClassVar[str] = "permanent_error"
    #: A stable code in snake_case. It is the reason of the dead letter, and ``status.error.reason``.


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
        """Return the error in the words that all limits share.

        Args:
            found: What exceeds the limit, with the comparative, such as "7200 s are longer".
            limit: The limit as it is set, with its unit.
            setting: The name of its setting without ``FRAMEBRUSH_``.
        """
        return cls(f"{found} than {limit}: if that is wanted, raise FRAMEBRUSH_{setting}")


class BlobNotFound(PermanentError):
    """A blob, or its container, does not exist."""

    reason = "blob_not_found"


class AccessDenied(PermanentError):
    """A request names a container that this installation has no right to use."""

    reason = "access_denied"


class InputChanged(PermanentError):
    """The input blob is not the one that the run was planned from."""

    reason = "input_changed"


class RunExists(PermanentError):
    """The run id is taken by a different request; the run that has it goes on unharmed."""

    reason = "run_exists"


class OutputTaken(PermanentError):
    """The name of an output belongs to another run, or to a blob that no run wrote; that blob stays as it is."""

    reason = "output_taken"


class MessageTooLarge(PermanentError):
    """A message is larger than its queue takes; the text names its size and what the broker says of the limit."""

    reason = "message_too_large"


class TooManyDeliveries(PermanentError):
    """A message was delivered again and again, and no delivery came to an end."""

    reason = "too_many_deliveries"


class Crashed(FramebrushError):
    """A helper process was killed from outside. A file cannot do that, so the message is worth another attempt."""


class Conflict(FramebrushError):
    """A conditional write found another version than it expected."""


class Unavailable(FramebrushError):
    """Storage or the broker cannot be reached, or asks to slow down."""


class Unfit(FramebrushError):
    """The process cannot do its work, whatever the message: only a new process, or a person, can mend that.

    Examples are credentials that are refused, a container or a queue of the installation's own that is missing, a GPU
    whose context is broken, and a model that cannot be loaded at the start.
    """

    suspect: ClassVar[bool] = False
    """Whether the message in hand may have made the process unfit."""


class Interrupt(BaseException):
    """The base of what is raised into a handler's thread. It is no ``Exception``, so that no handler swallows it."""


class DeadlineExceeded(Interrupt):
    """The message timeout passed."""


class LockLost(Interrupt):
    """The lock of the message could not be renewed in time."""


class Draining(Interrupt):
    """The grace period after SIGTERM is over."""


NOBODY = "DefaultAzureCredential failed to retrieve a token"
"""What azure-identity says if it finds nobody who is signed in, before many lines on each way to sign in."""


NO_CONNECTION = re.compile(
    r"HTTPS?Connection(Pool)?\(host='(?P<host>[^']+)', port=(?P<port>\d+)\).*?(\[Errno -?\d+\] )(?P<why>[^\n)]+)"
)
"""How urllib3 says that there is none."""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or the name of its type where it has none."""
    text = str(getattr(error, "message", None) or error).strip()
    if text.startswith(NOBODY):
        return "nobody is signed in to Azure here: run `az login`; a pod needs a workload identity"
    if match := NO_CONNECTION.match(text):
        return (
            f"no connection to {match['host']}:{match['port']}: {match['why']}; is the address right, and does it run?"
        )
    return text.splitlines()[0] if text else type(error).__name__


def refusal(status: int | None, text: str) -> FramebrushError:
    """Return the error that a backend's HTTP status stands for.

    Args:
        status: None when there was no answer at all.
        text: What the error says.

    Returns:
        Unavailable: there was no answer, or it was 408, 429 or 5xx.
        Unfit: the answer was 401 or 403, which is about our credentials.
        FramebrushError: any other answer.
    """
    if status is None or status in (408, 429) or status >= 500:
        return Unavailable(text)
    return Unfit(text) if status in (401, 403) else FramebrushError(text)


def permanent(reason: str, text: str) -> PermanentError:
    """Return the permanent error with a reason that another process named; a plain one if no error has this reason."""
    kinds = [PermanentError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return next((kind for kind in kinds if kind.reason == reason), PermanentError)(text)
