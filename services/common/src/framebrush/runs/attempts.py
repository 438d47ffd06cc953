"""Repeats conditional writes. One may fail because others write, or storage refuses a condition that holds."""

import random
import time
from collections.abc import Iterator

from framebrush.contracts import BlobRef
from framebrush.errors import Unavailable

ATTEMPTS = 12
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 1.0
"""The first and the longest pause between two attempts, in seconds."""


def attempts(ref: BlobRef) -> Iterator[int]:
    """Yield the numbers of the attempts, from 0, with a random pause between them that grows from 10 ms to 1 s.

    The caller leaves the loop when an attempt succeeds, and reads again what is there when one fails.

    Raises:
        Unavailable: All attempts failed. Together they took some seconds.
    """
    for number in range(ATTEMPTS):
        yield number
        time.sleep(random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2**number)))  # noqa: S311 - no secret
    raise Unavailable(f"{ref}: storage refused {ATTEMPTS} attempts to write it; a lease on the blob does that, too")
