"""A broker with short locks, and workers on it."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from support.queues import Queues

from framebrush.contracts import QUEUES
from framebrush.messaging import Consumer, Handler, RetryPolicy, Worker
from framebrush_broker.testing import running_broker

LOCK = 3.0
"""Seconds."""


@pytest.fixture(scope="module")
def cleaners() -> Iterator[Callable[[ExitStack], object]]:
    """Closes what a test has opened while the next one runs: the SDK takes a second for every connection."""
    with ThreadPoolExecutor(4) as pool:
        closings = list[Future[None]]()
        yield lambda stack: closings.append(pool.submit(stack.close))
        for each in closings:
            each.result()


@pytest.fixture
def cleanup(cleaners: Callable[[ExitStack], object]) -> Iterator[ExitStack]:
    """What is closed after the test."""
    with ExitStack() as stack:
        yield stack
        cleaners(stack.pop_all())


@pytest.fixture
def queues(tmp_path: Path, cleanup: ExitStack) -> Queues:
    """A broker of the test's own that remembers, with duplicate detection and locks of 3 s."""
    options = {"lock_duration_s": LOCK, "max_delivery_count": 10, "duplicate_detection_window_s": 600}
    file = tmp_path / "queues.json"
    file.write_text(json.dumps({"queues": dict.fromkeys(QUEUES, options)}))
    process = cleanup.enter_context(running_broker(arguments=[f"--queues={file}"], data=tmp_path / "broker.db"))
    return cleanup.enter_context(closing(Queues(process)))


@pytest.fixture
def work(queues: Queues, cleanup: ExitStack) -> Callable[..., Worker]:
    """Starts a worker: ``work(handler, queue="splits", concurrency=1, **settings)``."""

    def end(worker: Worker) -> None:
        assert worker.drain(), "a handler did not end"

    def start(handler: Handler, queue: str = "splits", concurrency: int = 1, **settings: Any) -> Worker:
        configured = queues.settings(**({"drain_grace": 0.1} | settings))
        limits = {"max_attempts": configured.max_attempts, "max_deliveries": configured.max_deliveries}
        policy = RetryPolicy(**limits, base=0.4, cap=0.8, outage=0.2)
        worker = Worker([Consumer(queue, handler, concurrency)], configured, policy)
        worker.start()
        cleanup.callback(end, worker)
        return worker

    return start
