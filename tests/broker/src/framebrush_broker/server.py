"""The server: one event loop that owns all state, and decides when queues deliver and bytes go out."""

import asyncio
import logging
import ssl
import uuid
from collections.abc import Callable
from typing import TypeVar

from framebrush_broker.connection import Connection
from framebrush_broker.errors import MessageTooLarge, QueueNotFound, ShuttingDown
from framebrush_broker.faults import FaultOptions, Faults
from framebrush_broker.idle import IdleWatch
from framebrush_broker.links import Outgoing
from framebrush_broker.namespace import Namespace
from framebrush_broker.queue import Queue
from framebrush_broker.store import MemoryStore

_log = logging.getLogger(__name__)

T = TypeVar("T")

MIN_DELAY_S = 0.001  # the event loop's clock may run a moment ahead of the wall clock

MAX_BATCH_SIZE = 2**20  # Service Bus takes no larger batch, even where messages may be larger


class Server:
    """Serves a namespace over AMQP.

    Everything that one turn of the event loop has brought in is answered together at its end (`_settle`): queues that
    have changed deliver, the store commits, connections write. So a commit is shared by all who wait for it, and no
    acknowledgement leaves before what it acknowledges is kept.
    """

    def __init__(
        self, namespace: Namespace, *, max_message_size: int = 256 * 1024, faults: FaultOptions | None = None
    ) -> None:
        self.namespace = namespace
        self.faults = Faults(faults or FaultOptions())
        self.max_message_size = max_message_size
        """Largest encoded message in bytes."""
        self.max_batch_size = min(max_message_size, MAX_BATCH_SIZE)
        self.connections: set[Connection] = set()
        self.loop: asyncio.AbstractEventLoop
        self._waiting: dict[Queue, dict[Outgoing, None]] = {}
        self._touched: set[Queue] = set()
        self._talking: set[Connection] = set()
        self._settling = False
        self._alarms: dict[Queue, tuple[float, asyncio.TimerHandle]] = {}
        self._listeners: list[asyncio.Server] = []

    # --- life

    async def listen(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Accept connections; return the port, which is a free one for port 0."""
        self.loop = asyncio.get_running_loop()
        listener = await self.loop.create_server(lambda: Connection(self), host, port, ssl=tls, backlog=512)
        self._listeners.append(listener)
        if len(self._listeners) == 1:
            for declared in self.namespace:
                self.touch(declared.queue)
            IdleWatch(self).start()
        return int(listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Close the store and hang up on all clients."""
        for listener in self._listeners:
            listener.close()
        self.namespace.commit()
        # What clients hold comes back after a restart as if never delivered, so the hang-up is not kept.
        store, self.namespace.store = self.namespace.store, MemoryStore()
        store.close()
        for connection in list(self.connections):
            connection.close(ShuttingDown("The broker is shutting down."))
        await asyncio.sleep(0)

    def call(self, function: Callable[[], T], timeout_s: float = 10) -> T:
        """Run `function` in the event loop from another thread, and return or raise what it does once it is durable."""

        async def run() -> T:
            try:
                return function()
            finally:
                self._settle()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(timeout_s)

    def delete_queue(self, name: str) -> None:
        """Delete a queue and detach those who use it. Raises QueueNotFound."""
        queue = self.namespace.delete(name)
        gone = QueueNotFound(f"The messaging entity '{queue.name}' has been deleted.")
        for connection in self.connections:
            for link in [link for link in connection.links if link.queue in (queue, queue.dead_letters)]:
                connection.detach(link, gone)
        for each in (queue, queue.dead_letters):
            self._waiting.pop(each, None)
            self._touched.discard(each)
            self._cancel_alarm(each)

    def check_size(self, size: int) -> None:
        """Raise MessageTooLarge for a message of more bytes than the namespace takes."""
        if size > self.max_message_size:
            raise MessageTooLarge(
                f"The received message of {size} bytes exceeds the limit of {self.max_message_size} bytes."
            )

    # --- delivery

    def complete(self, queue: Queue, token: uuid.UUID, now: float) -> None:
        """Remove a locked message, unless a fault loses the settlement: then it comes again. Raises LockLost."""
        if self.faults.loses_settlement() and queue.may_fail(token, now):
            queue.abandon(token, now)
        else:
            queue.complete(token, now)

    def waiting(self, queue: Queue) -> dict[Outgoing, None]:
        """Return the links that have credit for the queue's messages, the next to get one first."""
        return self._waiting.setdefault(queue, {})

    def pump(self, queue: Queue) -> None:
        """Deliver as long as there are messages and credit, to receivers in turn."""
        waiting, now = self.waiting(queue), self.namespace.clock()
        while waiting and (entry := queue.receive(now, skip=self.faults.skip())):
            link = next(iter(waiting))
            del waiting[link]
            if link.deliver(entry, now):
                waiting[link] = None

    def touch(self, queue: Queue) -> None:
        """Note that a queue has changed."""
        self._touched.add(queue)
        self._settle_soon()

    def wake(self, connection: Connection) -> None:
        """Note that a connection may have something to write."""
        self._talking.add(connection)
        self._settle_soon()

    def _settle_soon(self) -> None:
        if not self._settling:
            self._settling = True
            self.loop.call_soon(self._settle)

    def _settle(self) -> None:
        self._settling = False
        touched, self._touched = self._touched, set()
        for queue in touched:
            self._run(queue)
        self.namespace.commit()
        talking, self._talking = self._talking, set()
        for connection in talking:
            connection.flush()

    def _run(self, queue: Queue) -> None:
        now = self.namespace.clock()
        # The queue goes first: what becomes due there may move to its dead-letter queue.
        for each in dict.fromkeys((queue, queue.dead_letters)):
            each.advance(now)
            self.pump(each)
            self._set_alarm(each, each.next_event())

    def _set_alarm(self, queue: Queue, when: float | None) -> None:
        """Let the queue be looked at again at `when`, in seconds since the epoch; None for never."""
        earlier = self._alarms.get(queue)
        if earlier and earlier[0] == when:
            return
        self._cancel_alarm(queue)
        if when is not None:
            delay = max(MIN_DELAY_S, when - self.namespace.clock())
            self._alarms[queue] = when, self.loop.call_later(delay, self._on_alarm, queue)

    def _cancel_alarm(self, queue: Queue) -> None:
        if alarm := self._alarms.pop(queue, None):
            alarm[1].cancel()

    def _on_alarm(self, queue: Queue) -> None:
        del self._alarms[queue]
        self.touch(queue)
