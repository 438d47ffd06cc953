import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framebrush.service import ordered_map


def pool_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("map")]


@given(st.lists(st.integers(), max_size=40), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_results_come_in_order(items: list[int], threads: int) -> None:
    assert list(ordered_map(lambda item: -item, items, threads)) == [-item for item in items]


def test_results_come_in_order_even_if_they_are_ready_in_another() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.05 if item == 0 else 0)
        return item

    assert list(ordered_map(slow_first, range(10), 4)) == list(range(10))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_it_looks_ahead_only_so_far(threads: int) -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = ordered_map(lambda item: item, endless(), threads)
    for expected in range(1, 50):
        assert next(results) == expected
        assert taken <= expected + 2 * threads
    results.close()  # type: ignore[attr-defined]


def test_it_works_in_parallel() -> None:
    together = threading.Barrier(3, timeout=10)
    assert len(list(ordered_map(lambda _: together.wait(), range(3), 3))) == 3


def test_an_exception_comes_when_its_items_turn_comes() -> None:
    results = ordered_map(lambda item: 1 // item, [1, 1, 0, 1], 2)
    assert [next(results), next(results)] == [1, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert pool_threads() == []


def test_an_exception_of_the_items_passes() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        list(ordered_map(lambda item: item, broken(), 2))
    assert pool_threads() == []


def test_no_thread_is_left_when_it_is_given_up() -> None:
    results = ordered_map(lambda item: item, range(100), 3)
    next(results)
    assert len(pool_threads()) in (1, 2, 3)
    results.close()  # type: ignore[attr-defined]
    assert pool_threads() == []
