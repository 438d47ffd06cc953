"""Raising an exception in another thread."""

import ctypes
import logging
import sys
import threading
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from types import CodeType, FrameType
from typing import ParamSpec, TypeVar

from framebrush.errors import Interrupt

P = ParamSpec("P")
T = TypeVar("T")

PAUSE = 0.001
"""The seconds until the next look at a thread that is starting another one. To start one takes far less."""
PATIENCE = 1.0
"""The seconds for which an interrupt is held back while its thread takes or leaves a lock of the standard library, or
is in a function that defers interrupts."""

_STARTING = frozenset({threading.Thread.start.__code__})
_deferring = set[CodeType]()


def defer_interrupts(function: Callable[P, T]) -> Callable[P, T]:
    """Mark a function that makes or removes what would be left behind if it was interrupted half-way.

    Interrupts wait for its end, but not for long. Those of a generator function wait while it runs, not while it is
    suspended: this decorator stands below ``contextmanager``.
    """
    _deferring.add(function.__code__)
    return function


def interrupt_thread(thread: int, kind: type[Interrupt]) -> None:
    """Raise ``kind`` in a thread when it next runs Python code. A thread that is stuck in C is noticed by ``/livez``.

    Until a new thread runs, CPython 3.11 keeps its state under the identifier of the thread that starts it
    (``PyThreadState_New``), and ``PyThreadState_SetAsyncExc`` takes the newest state of an identifier. So an interrupt
    that comes while its thread starts another one would end the new thread before it said that it runs, for which the
    first one waits without end. Hence the interrupt waits until its thread is not in ``Thread.start``, and holds the
    lock that everybody takes there first. The lock's name is private, and the same in Python 3.11 to 3.14; without it
    a small gap is left. For a while the interrupt also waits for its thread to leave ``threading`` and ``logging``,
    whose locks it would otherwise leave behind for ever, and the functions of :func:`defer_interrupts`.

    Args:
        thread: The identifier of the thread, see :func:`threading.get_ident`.
        kind: The exception to raise.
    """
    guard = getattr(threading, "_active_limbo_lock", threading.Lock())
    end = time.monotonic() + PATIENCE
    while True:
        with guard:
            frame = sys._current_frames().get(thread)
            holds = _holds_a_lock(frame) or _calls(frame, _deferring)
            if not (_calls(frame, _STARTING) or (holds and time.monotonic() < end)):
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))
                return
        time.sleep(PAUSE)


def _calls(frame: FrameType | None, functions: AbstractSet[CodeType]) -> bool:
    """Return whether the thread is in one of these functions, or in what it calls."""
    while frame is not None:
        if frame.f_code in functions:
            return True
        frame = frame.f_back
    return False


def _holds_a_lock(frame: FrameType | None) -> bool:
    """Return whether the thread is in code that may have taken a lock, and not yet noted that it has to release it."""
    return frame is not None and frame.f_code.co_filename in (threading.__file__, logging.__file__)
