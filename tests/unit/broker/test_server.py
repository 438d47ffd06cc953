"""The server's event loop without clients: how often it wakes up."""

import asyncio
import time
from collections.abc import Callable, Mapping

import proton
import pytest

from framebrush_broker.messages import Message
from framebrush_broker.namespace import Namespace
from framebrush_broker.options import QueueOptions
from framebrush_broker.queue import Queue
from framebrush_broker.server import Server
from framebrush_broker.store import MemoryStore

SOON_S = 0.05


class CountingStore(MemoryStore):
    """Counts commits: the server commits once in every turn of its event loop that has something to do."""

    def __init__(self) -> None:
        self.commits = 0

    def commit(self, last_sequences: Mapping[str, int]) -> None:
        self.commits += 1


def message(ttl: float = 0) -> Message:
    return Message.decode(bytes(proton.Message(ttl=ttl, body=b"body", inferred=True).encode()))


def schedule(queue: Queue) -> None:
    now = time.time()
    queue.send(message(), 10, now, scheduled_for=now + SOON_S)


def send_with_time_to_live(queue: Queue) -> None:
    queue.send(message(SOON_S), 10, time.time())


def lock(queue: Queue) -> None:
    queue.send(message(), 10, time.time())
    queue.receive(time.time())


def lock_until_expired(queue: Queue) -> None:
    queue.send(message(SOON_S), 10, time.time())
    queue.receive(time.time())


@pytest.mark.parametrize("prepare", [schedule, send_with_time_to_live, lock, lock_until_expired])
@pytest.mark.parametrize("restored", [False, True])
def test_what_falls_due_in_a_queue_without_receivers_wakes_the_server_once(
    prepare: Callable[[Queue], None], restored: bool
) -> None:
    async def commits_in_half_a_second() -> int:
        store = CountingStore()
        server = Server(Namespace(store))
        queue = server.namespace.create("q", QueueOptions(lock_duration_s=2 * SOON_S)).queue
        if restored:
            prepare(queue)
        await server.listen("127.0.0.1", 0)
        if not restored:
            prepare(queue)
            server.touch(queue)
        await asyncio.sleep(0.5)
        commits = store.commits
        await server.close()
        assert queue.next_event() is None, "what was due was not handled"
        return commits

    # One turn at the start and one for each of at most two due times, with room for timers that fire a moment early.
    assert 1 <= asyncio.run(commits_in_half_a_second()) <= 10


def test_an_idle_server_does_not_wake_up() -> None:
    async def commits_while_idle() -> int:
        store = CountingStore()
        server = Server(Namespace(store))
        server.namespace.create("q", QueueOptions())
        await server.listen("127.0.0.1", 0)
        await asyncio.sleep(0.1)
        before = store.commits
        await asyncio.sleep(0.5)
        commits = store.commits - before
        await server.close()
        return commits

    assert asyncio.run(commits_while_idle()) == 0
