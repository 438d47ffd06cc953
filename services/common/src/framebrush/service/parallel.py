"""Works on a stream of items with a few threads, in order and in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Yield the results of a function in the order of the items. So many threads compute them.

    At most one item more than there are threads is in hand. ``Executor.map`` would take all items at once.

    Raises:
        Exception: The function raised it. It is raised here in the turn of its item.
    """
    pending = deque[Future[R]]()
    with ThreadPoolExecutor(threads, thread_name_prefix="map") as pool:
        try:
            for item in items:
                pending.append(pool.submit(copy_context().run, function, item))  # The copy keeps the run in log lines.
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
