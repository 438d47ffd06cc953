"""Raising an exception in another thread."""

import ctypes
import threading
import time

from framebrush.errors import Interrupt

TRIES, PAUSE = 1000, 0.001
"""How often to wait for threads that are about to start, and the seconds of each wait. It is not for ever: an interrupt
that strikes within ``Thread.start`` itself may leave a thread behind that never starts."""


def interrupt_thread(thread: int, kind: type[Interrupt]) -> None:
    """Raise ``kind`` in a thread when it next runs Python code; a thread that is stuck in C is what /livez is for.

    Until a new thread runs, CPython 3.11 keeps its state under the identifier of the thread that starts it
    (``PyThreadState_New``), and ``PyThreadState_SetAsyncExc`` takes the newest state of an identifier. So an interrupt
    that comes while its thread starts another one would end the new thread before it said that it runs, for which the
    first one waits without end. Hence no thread of this process may be about to start: ``threading`` keeps those that
    are in ``_limbo``, under a lock that starting one takes, too. The names are private, and the same in Python 3.11 to
    3.14. Where one is missing, the interrupt is raised without that care.

    Args:
        thread: The identifier of the thread, see :func:`threading.get_ident`.
        kind: What to raise.
    """
    limbo, guard = getattr(threading, "_limbo", {}), getattr(threading, "_active_limbo_lock", threading.Lock())
    for last in (*[False] * TRIES, True):
        with guard:
            if last or not limbo:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))
                return
        time.sleep(PAUSE)
