"""One queue's state machine: every message is active, locked, deferred or scheduled, until it is gone.

No input or output: time is the argument `now` (seconds since the epoch) of every operation, changes to keep go to a
Journal. The dead-letter queue is a Queue too, with no expiry and no maximum delivery count.
"""

import heapq
import uuid
from collections.abc import Iterable, Mapping

from framebrush_broker import codec
from framebrush_broker.entry import Counts, Entry, Journal, State
from framebrush_broker.errors import LockLost, MessageNotFound, NotAllowed, QuotaExceeded
from framebrush_broker.history import History
from framebrush_broker.messages import Message
from framebrush_broker.options import QueueOptions

DEAD_LETTER_SUFFIX = "/$DeadLetterQueue"


class Queue:
    """A queue with peek-lock semantics."""

    def __init__(self, name: str, options: QueueOptions, journal: Journal, *, parent: "Queue | None" = None) -> None:
        self.name = name
        self.options = options
        self.last_sequence = 0
        self.size = 0
        """Bytes of all messages."""
        self.dead_letters = self if parent else Queue(name + DEAD_LETTER_SUFFIX, options, journal, parent=self)
        self._parent = parent
        self._journal = journal
        self._entries: dict[int, Entry] = {}
        self._locked: dict[uuid.UUID, Entry] = {}
        self._states = dict.fromkeys(State, 0)
        self.history = History(name, journal)
        # Heaps; an item whose entry has moved on since is skipped when it comes up.
        self._ready: list[int] = []
        self._lock_ends: list[tuple[float, int, uuid.UUID]] = []
        self._due: list[tuple[float, int]] = []
        self._expiries: list[tuple[float, int]] = []

    @property
    def source(self) -> str | None:
        """For a dead-letter queue, the name of the queue that its messages come from."""
        return self._parent.name if self._parent else None

    # --- sending

    def send(self, message: Message, size: int, now: float, *, scheduled_for: float | None = None) -> Entry | None:
        """Add a message; return None when duplicate detection drops it. Raises QuotaExceeded, NotAllowed."""
        self.check_room(size)
        self.advance(now)
        window = self.options.duplicate_detection_window_s
        if window is not None and message.message_id is not None:
            if self.history.has(message.message_id, now - window):
                return None
            self.history.add(message.message_id, now)
        self.last_sequence += 1
        entry = Entry(self.last_sequence, message, size, enqueued_at=now)
        if scheduled_for is not None and scheduled_for > now:
            entry.state, entry.enqueued_at = State.SCHEDULED, scheduled_for
        else:
            entry.expires_at = self._expiry(entry)
        self._insert(entry)
        return entry

    def check_room(self, size: int) -> None:
        """Raise NotAllowed or QuotaExceeded when the queue does not take `size` more bytes."""
        if self._parent:
            raise NotAllowed(f"Messages cannot be sent to the dead-letter queue {self.name}.")
        if self.size + self.dead_letters.size + size > self.options.max_size_mb * 2**20:
            raise QuotaExceeded(f"Queue {self.name} has reached its maximum size of {self.options.max_size_mb} MB.")

    def _expiry(self, entry: Entry) -> float | None:
        lives = [t for t in (entry.message.time_to_live_s, self.options.default_time_to_live_s) if t is not None]
        return entry.enqueued_at + min(lives) if lives else None

    def cancel_scheduled(self, sequences: Iterable[int], now: float) -> None:
        """Remove scheduled messages. Raises MessageNotFound, and removes none, when one is not there."""
        self.advance(now)
        for entry in self._find(sequences, State.SCHEDULED):
            self._drop(entry)

    # --- receiving

    def receive(self, now: float, *, skip: int = 0) -> Entry | None:
        """Lock the first active message and return it, or None when there is none.

        `skip` gives the place of another one than the first; when there are fewer, it is the last.
        """
        self.advance(now)
        ready = heapq.nsmallest(skip + 1, self._ready) if skip else self._ready[:1]
        ready = [sequence for sequence in ready if sequence in self._entries]
        if not ready:
            return None
        if ready[-1] == self._ready[0]:
            heapq.heappop(self._ready)
        else:
            self._ready.remove(ready[-1])
            heapq.heapify(self._ready)
        entry = self._entries[ready[-1]]
        self._lock(entry, now)
        self._tidy()
        return entry

    def receive_deferred(self, sequences: Iterable[int], now: float) -> list[Entry]:
        """Lock deferred messages. Raises MessageNotFound, and locks none, when one is not there."""
        self.advance(now)
        entries = self._find(sequences, State.DEFERRED)
        for entry in entries:
            self._lock(entry, now)
        return entries

    def peek(self, start: int, count: int, now: float) -> list[Entry]:
        """Return up to `count` messages in any state, by sequence number from `start` on."""
        self.advance(now)
        wanted = heapq.nsmallest(count, (sequence for sequence in self._entries if sequence >= start))
        return [self._entries[sequence] for sequence in wanted]

    def _find(self, sequences: Iterable[int], state: State) -> list[Entry]:
        found = []
        for sequence in dict.fromkeys(sequences):
            entry = self._entries.get(sequence)
            if entry is None or entry.state is not state or entry.lock_token:
                raise MessageNotFound(f"Queue {self.name} has no {state.name.lower()} message {sequence}.")
            found.append(entry)
        return found

    def _lock(self, entry: Entry, now: float) -> None:
        entry.lock_token = uuid.uuid4()
        self._locked[entry.lock_token] = entry
        self._hold(entry, now)

    def _hold(self, entry: Entry, now: float) -> None:
        assert entry.lock_token is not None
        entry.locked_until = now + self.options.lock_duration_s
        heapq.heappush(self._lock_ends, (entry.locked_until, entry.sequence, entry.lock_token))

    # --- settling; all raise LockLost when the token holds no lock

    def renew(self, token: uuid.UUID, now: float) -> float:
        """Extend the lock to a full lock duration from now; return when it ends."""
        entry = self._held(token, now)
        self._hold(entry, now)
        return entry.locked_until

    def complete(self, token: uuid.UUID, now: float) -> None:
        """Remove the message."""
        entry = self._unlock(token, now)
        self._drop(entry)

    def may_fail(self, token: uuid.UUID, now: float) -> bool:
        """Whether the message would come again after a failed delivery, and not be dead-lettered."""
        return self._parent is not None or self._held(token, now).delivery_count + 1 < self.options.max_delivery_count

    def abandon(self, token: uuid.UUID, now: float, changes: Mapping[str, bytes] | None = None) -> None:
        """Give the message back after a failed delivery, with application properties changed."""
        entry = self._unlock(token, now)
        entry.message = entry.message.with_properties(changes or {})
        self._fail(entry, now)

    def release(self, token: uuid.UUID, now: float) -> None:
        """Give the message back as if it had never been delivered."""
        self._restore(self._unlock(token, now), now)

    def defer(self, token: uuid.UUID, now: float, changes: Mapping[str, bytes] | None = None) -> None:
        """Set the message aside; from now on only `receive_deferred` finds it."""
        entry = self._unlock(token, now)
        entry.message = entry.message.with_properties(changes or {})
        entry.delivery_count += 1
        self._set_state(entry, State.DEFERRED)
        self._journal.put(self.name, entry)

    def dead_letter(
        self,
        token: uuid.UUID,
        now: float,
        reason: str | None = None,
        description: str | None = None,
        changes: Mapping[str, bytes] | None = None,
    ) -> None:
        """Move the message to the dead-letter queue."""
        if self._parent:
            raise NotAllowed(f"A message of {self.name} is dead-lettered already.")
        entry = self._unlock(token, now)
        entry.message = entry.message.with_properties(changes or {})
        self._bury(entry, reason, description)

    def _held(self, token: uuid.UUID, now: float) -> Entry:
        self.advance(now)
        entry = self._locked.get(token)
        if entry is None:
            raise LockLost(
                "The lock supplied is invalid. Either the lock expired, "
                f"or the message has already been removed from the queue {self.name}."
            )
        return entry

    def _unlock(self, token: uuid.UUID, now: float) -> Entry:
        entry = self._held(token, now)
        del self._locked[token]
        entry.lock_token = None
        return entry

    def _fail(self, entry: Entry, now: float) -> None:
        entry.delivery_count += 1
        if not self._parent and entry.delivery_count >= self.options.max_delivery_count:
            self._bury(
                entry,
                "MaxDeliveryCountExceeded",
                f"Message could not be consumed after {entry.delivery_count} delivery attempts.",
            )
            return
        self._journal.put(self.name, entry)
        self._restore(entry, now)

    def _restore(self, entry: Entry, now: float) -> None:
        if entry.state is State.ACTIVE:
            heapq.heappush(self._ready, entry.sequence)
        self._expire(entry, now)
        self._tidy()

    def _bury(self, entry: Entry, reason: str | None, description: str | None) -> None:
        texts = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
        self._drop(entry)
        entry.message = entry.message.with_properties({k: codec.string(v) for k, v in texts.items() if v is not None})
        entry.state, entry.expires_at = State.ACTIVE, None
        self.dead_letters._insert(entry)

    # --- time

    def advance(self, now: float) -> None:
        """Let everything happen that was due by now: locks end, scheduled messages appear, messages expire."""
        while self._lock_ends and self._lock_ends[0][0] <= now:
            end, _, token = heapq.heappop(self._lock_ends)
            entry = self._locked.get(token)
            if entry and entry.locked_until <= end:
                del self._locked[token]
                entry.lock_token = None
                self._fail(entry, now)
        while self._due and self._due[0][0] <= now:
            due, sequence = heapq.heappop(self._due)
            if entry := self._entries.get(sequence):
                self._activate(entry, due)
        while self._expiries and self._expiries[0][0] <= now:
            _, sequence = heapq.heappop(self._expiries)
            if entry := self._entries.get(sequence):
                self._expire(entry, now)
        self._tidy()

    def next_event(self) -> float | None:
        """When `advance` next has something to do, or None."""
        while self._lock_ends and not self._is_current(*self._lock_ends[0]):
            heapq.heappop(self._lock_ends)
        heads = (heap[0][0] for heap in (self._lock_ends, self._due, self._expiries) if heap)
        return min(heads, default=None)

    def _is_current(self, end: float, _: int, token: uuid.UUID) -> bool:
        entry = self._locked.get(token)
        return entry is not None and entry.locked_until <= end

    def _activate(self, entry: Entry, now: float) -> None:
        # As in Service Bus, a scheduled message is appended as if sent when due, under a new sequence number.
        self._drop(entry)
        self.last_sequence += 1
        entry.sequence, entry.state, entry.enqueued_at = self.last_sequence, State.ACTIVE, now
        entry.expires_at = self._expiry(entry)
        self._insert(entry)

    def _expire(self, entry: Entry, now: float) -> None:
        if (
            entry.lock_token
            or entry.expires_at is None
            or entry.expires_at > now
            or entry.sequence not in self._entries
        ):
            return
        if self.options.dead_lettering_on_message_expiration:
            self._bury(entry, "TTLExpiredException", "The message expired and was dead lettered.")
        else:
            self._drop(entry)

    # --- bookkeeping

    def counts(self, now: float) -> Counts:
        """Count the messages."""
        self.advance(now)
        locked = sum(1 for entry in self._locked.values() if entry.state is State.ACTIVE)
        active = self._states[State.ACTIVE] - locked
        return Counts(active, locked, self._states[State.DEFERRED], self._states[State.SCHEDULED])

    def restore(self, entries: Iterable[Entry], sent: Mapping[str, float], last_sequence: int) -> None:
        """Take back what a journal kept."""
        self.history.restore(sent)
        self.last_sequence = last_sequence
        for entry in entries:
            self._place(entry)

    def _insert(self, entry: Entry) -> None:
        self._place(entry)
        self._journal.put(self.name, entry)

    def _place(self, entry: Entry) -> None:
        self._entries[entry.sequence] = entry
        self._states[entry.state] += 1
        self.size += entry.size
        if entry.state is State.ACTIVE:
            heapq.heappush(self._ready, entry.sequence)
        elif entry.state is State.SCHEDULED:
            heapq.heappush(self._due, (entry.enqueued_at, entry.sequence))
        if entry.expires_at is not None:
            heapq.heappush(self._expiries, (entry.expires_at, entry.sequence))

    def _drop(self, entry: Entry) -> None:
        del self._entries[entry.sequence]
        self._states[entry.state] -= 1
        self.size -= entry.size
        self._journal.remove(self.name, entry)

    def _set_state(self, entry: Entry, state: State) -> None:
        self._states[entry.state] -= 1
        self._states[state] += 1
        entry.state = state

    def _tidy(self) -> None:
        # Expired or buried messages leave their number behind in the heap.
        while self._ready and self._ready[0] not in self._entries:
            heapq.heappop(self._ready)
