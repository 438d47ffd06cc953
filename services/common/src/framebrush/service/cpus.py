"""Tells how many cores there are to work with."""

import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""The file that tells a container its share of the cores, by version 2 of Linux' cgroups: microseconds per period."""


def cores(quota: Path = QUOTA) -> int:
    """Return the number of cores that this process may use, rounded up: those of the container or of the machine."""
    usable = len(os.sched_getaffinity(0))
    share, _, period = quota.read_text().partition(" ") if quota.is_file() else ("max", "", "")
    return min(usable, max(1, -(-int(share) // int(period)))) if share.isdecimal() else usable
