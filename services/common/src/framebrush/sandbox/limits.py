"""Limits what a decoder process may take and do."""

import resource
import signal
from contextlib import suppress
from pathlib import Path

from framebrush.service import available, bound_arenas

SHARE, MIN_MEMORY = 0.25, 256 * 10**6
"""The part of the memory that one process may take if no limit is given: two processes decode, one plans, and the
service needs its own. And the bytes that a process may take in any case, of which the libraries need a third."""


def default_memory() -> int:
    """Return the bytes that one process may take where the settings name no limit."""
    return max(MIN_MEMORY, int(SHARE * available()))


def confine(memory: int) -> None:
    """Bound what this process can do to others; for Linux.

    Args:
        memory: Bytes of private memory, those of threads' stacks included. Shared libraries do not count, nor does
            address space that malloc reserves without using it, which RLIMIT_AS would count.
    """
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # The service ends this process when it drains, so signals are for the service alone.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with suppress(OSError):  # If memory is short after all, the kernel shall take this process and not the service.
        Path("/proc/self/oom_score_adj").write_text("1000")
    bound_arenas()
