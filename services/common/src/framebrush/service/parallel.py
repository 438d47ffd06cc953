"""Work on a stream of items with a few threads, in order and in bounded memory."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ordered_map(function: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[R]:
    """Results in the order of the items, computed by ``threads`` threads; at most one item more than that is in hand.

    The built-in ``Executor.map`` would take in all items at once.

    Raises:
        Exception: what ``function`` raised, when its item's turn comes.
    """
    pending = deque[Future[R]]()
    with ThreadPoolExecutor(threads, thread_name_prefix="map") as pool:
        try:
            for item in items:
                pending.append(pool.submit(copy_context().run, function, item))  # with the run in log lines
                if len(pending) > threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
