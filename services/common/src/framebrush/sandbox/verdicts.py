"""What the end of a process says of the file that it had open."""

import json
import signal

from framebrush.errors import Crashed, FramebrushError, InvalidVideo, Unfit, permanent
from framebrush.sandbox.protocol import NOT_ISOLATED

CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
"""Signals by which a process ends itself. A file cannot make it send itself a SIGKILL: that comes from outside."""


class TaskFailed(Exception):
    """A task raised an error that it should not raise; the text is its traceback."""


def nonsense(name: str) -> InvalidVideo:
    """Return the error of a process that breaks the protocol."""
    return InvalidVideo(f"{name}: the decoder does not make sense")


def told(name: str, content: bytes) -> Exception:
    """Return the error that a process tells of."""
    try:
        said = json.loads(content)
        reason, text = said["reason"], str(said["text"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return nonsense(name)
    return TaskFailed(text) if reason is None else permanent(str(reason), text)


def death(name: str, code: int) -> FramebrushError:
    """Return the error of a process that has ended with an exit code, or the negative number of a signal."""
    if -code in CRASHES:
        return InvalidVideo(f"{name}: the decoder crashed ({signal.Signals(-code).name})")
    if code == NOT_ISOLATED:
        return Unfit(f"{name}: the decoder cannot be isolated, although this system has what it needs")
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return Crashed(f"{name}: the decoder was killed ({how})")
