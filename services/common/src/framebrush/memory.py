"""Keeping the resident set small under glibc's malloc; elsewhere these do nothing."""

import ctypes

_libc = ctypes.CDLL(None)

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""malloc.h"""


def bound_arenas() -> None:
    """Use two arenas, and none for blocks as large as a pack.

    By default every thread has an arena of its own, each keeps what it once had, and freeing one large block makes
    all later ones of that size come out of arenas, too (mallopt(3)).
    """
    if hasattr(_libc, "mallopt"):
        _libc.mallopt(_M_ARENA_MAX, 2)
        _libc.mallopt(_M_MMAP_THRESHOLD, 4 * 2**20)


def trim() -> None:
    """Give freed memory back to the system (malloc_trim(3)); some milliseconds."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
