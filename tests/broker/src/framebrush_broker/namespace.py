"""The namespace: queues by name, as addresses name them, over a store."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from framebrush_broker.errors import NotSupported, QueueExists, QueueNotFound
from framebrush_broker.options import QueueOptions, check_name
from framebrush_broker.queue import DEAD_LETTER_SUFFIX, Queue
from framebrush_broker.store import MemoryStore, StoredQueue

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Declared:
    """A queue with its times, in seconds since the epoch."""

    queue: Queue
    created_at: float
    updated_at: float
    accessed_at: float = field(default=0.0)


class Namespace:
    """All queues of one broker. Names are case-insensitive, as in Service Bus."""

    def __init__(self, store: MemoryStore | None = None, clock: Callable[[], float] = time.time) -> None:
        self.store = store or MemoryStore()
        self.clock = clock
        self._declared: dict[str, Declared] = {}
        for stored in self.store.queues():
            self._restore(stored)

    def _restore(self, stored: StoredQueue) -> None:
        queue = Queue(stored.name, stored.options, self.store)
        since = self.clock() - (stored.options.duplicate_detection_window_s or 0)
        remembered = self.store.remembered(queue.name, since)
        queue.restore(self.store.entries(queue.name), remembered, stored.last_sequence)
        queue.dead_letters.restore(self.store.entries(queue.dead_letters.name), {}, 0)
        self._declared[queue.name.lower()] = Declared(queue, stored.created_at, stored.updated_at, stored.updated_at)
        _log.info("restored queue %s: %s", queue.name, queue.counts(self.clock()))

    def __iter__(self) -> Iterator[Declared]:
        return iter(sorted(self._declared.values(), key=lambda declared: declared.queue.name))

    def create(self, name: str, options: QueueOptions) -> Declared:
        """Create a queue. Raises QueueExists."""
        if check_name(name).lower() in self._declared:
            raise QueueExists(f"A queue named {name} exists already.")
        now = self.clock()
        declared = self._declared[name.lower()] = Declared(Queue(name, options, self.store), now, now, now)
        self.store.save_queue(StoredQueue(name, options, 0, now, now))
        return declared

    def update(self, name: str, options: QueueOptions) -> Declared:
        """Change a queue's options; they hold for what happens from now on. Raises QueueNotFound."""
        declared = self.get(name)
        declared.queue.options = declared.queue.dead_letters.options = options
        declared.updated_at = self.clock()
        self.store.save_queue(
            StoredQueue(
                declared.queue.name, options, declared.queue.last_sequence, declared.created_at, declared.updated_at
            )
        )
        return declared

    def declare(self, queues: Mapping[str, QueueOptions]) -> None:
        """Create the queues that do not exist and update those that do."""
        for name, options in queues.items():
            (self.update if name.lower() in self._declared else self.create)(name, options)

    def delete(self, name: str) -> Queue:
        """Delete a queue with its messages. Raises QueueNotFound."""
        queue = self.get(name).queue
        del self._declared[name.lower()]
        self.store.delete_queue(queue.name)
        return queue

    def get(self, name: str) -> Declared:
        """Find a queue by its name. Raises QueueNotFound."""
        try:
            return self._declared[name.lower()]
        except KeyError:
            raise QueueNotFound(f"The messaging entity '{name}' could not be found.") from None

    def resolve(self, address: str) -> Queue:
        """Find the queue or dead-letter queue at a link address such as `amqps://HOST/frames/$DeadLetterQueue`.

        Raises QueueNotFound, or NotSupported for the entities that Service Bus has and this broker has not.
        """
        path = entity_path(address)
        if "/subscriptions/" in path.lower() or path.lower().endswith("/$transfer/$deadletterqueue"):
            raise NotSupported(f"'{path}': this broker has queues and their dead-letter queues only.")
        name = path[: -len(DEAD_LETTER_SUFFIX)] if path.lower().endswith(DEAD_LETTER_SUFFIX.lower()) else path
        declared = self.get(name)
        declared.accessed_at = self.clock()
        return declared.queue if name == path else declared.queue.dead_letters

    def commit(self) -> None:
        """Make all changes so far durable."""
        self.store.commit({d.queue.name: d.queue.last_sequence for d in self._declared.values()})


def entity_path(address: str) -> str:
    """Cut scheme and host from a link address: `amqps://HOST:PORT/a/b` and `a/b` are both `a/b`."""
    return (urlsplit(address).path if "://" in address else address).strip("/")
