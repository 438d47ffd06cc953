import uuid
from pathlib import Path

import proton
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from framebrush_broker.entry import Counts, Entry, State
from framebrush_broker.errors import LockLost, MessageNotFound, NotAllowed, QuotaExceeded
from framebrush_broker.messages import Message
from framebrush_broker.options import QueueOptions
from framebrush_broker.queue import Queue
from framebrush_broker.store import FileStore, MemoryStore, StoredQueue

LOCK_S = 10
MAX_DELIVERIES = 3


def message(message_id: str = "id", ttl: float = 0) -> Message:
    return Message.decode(bytes(proton.Message(id=message_id, ttl=ttl, body=b"body", inferred=True).encode()))


def make(**options: object) -> Queue:
    defaults = {"lock_duration_s": LOCK_S, "max_delivery_count": MAX_DELIVERIES}
    return Queue("q", QueueOptions(**{**defaults, **options}), MemoryStore())  # type: ignore[arg-type]


def send(queue: Queue, message_id: str = "id", now: float = 0, **arguments: float) -> Entry:
    ttl = arguments.pop("ttl", 0)
    entry = queue.send(message(message_id, ttl), 100, now, **arguments)
    assert entry is not None
    return entry


def take(queue: Queue, now: float) -> tuple[Entry, uuid.UUID]:
    entry = queue.receive(now)
    assert entry is not None
    assert entry.lock_token is not None
    return entry, entry.lock_token


def reason(entry: Entry) -> tuple[object, object]:
    out = proton.Message()
    out.decode(entry.message.encode())
    properties: dict[object, object] = out.properties or {}
    return properties.get("DeadLetterReason"), properties.get("DeadLetterErrorDescription")


def test_first_in_first_out() -> None:
    queue = make()
    sequences = [send(queue).sequence for _ in range(5)]
    assert sequences == [1, 2, 3, 4, 5]
    assert [take(queue, 1)[0].sequence for _ in range(5)] == sequences
    assert queue.receive(1) is None


def test_a_message_may_be_received_out_of_turn() -> None:
    queue = make()
    for _ in range(5):
        send(queue)
    received = [queue.receive(1, skip=skip) for skip in (2, 0, 9, 1, 0)]
    assert [entry and entry.sequence for entry in received] == [3, 1, 5, 4, 2]
    assert queue.receive(1, skip=3) is None


def test_a_message_that_may_not_fail_again_is_known() -> None:
    queue = make()
    send(queue)
    for failures in range(MAX_DELIVERIES):
        _, token = take(queue, 0)
        assert queue.may_fail(token, 0) == (failures + 1 < MAX_DELIVERIES)
        queue.abandon(token, 0)
    _, token = take(queue.dead_letters, 0)
    assert queue.dead_letters.may_fail(token, 0)


def test_a_cleared_history_knows_no_duplicates() -> None:
    queue = make(duplicate_detection_window_s=100)
    send(queue, "a")
    assert queue.send(message("a"), 100, 1) is None
    queue.history.clear()
    assert queue.send(message("a"), 100, 1) is not None


def test_an_abandoned_message_comes_first_again() -> None:
    queue = make()
    send(queue)
    send(queue)
    _, token = take(queue, 0)
    queue.abandon(token, 1)
    entry, _ = take(queue, 1)
    assert (entry.sequence, entry.delivery_count) == (1, 1)


def test_a_released_message_has_not_been_delivered() -> None:
    queue = make()
    send(queue)
    for _ in range(5):
        entry, token = take(queue, 0)
        assert entry.delivery_count == 0
        queue.release(token, 0)


def test_a_lock_ends_on_time() -> None:
    queue = make()
    send(queue)
    entry, token = take(queue, 0)
    assert entry.locked_until == queue.next_event() == LOCK_S
    assert queue.receive(LOCK_S - 0.1) is None
    assert take(queue, LOCK_S)[0].delivery_count == 1
    with pytest.raises(LockLost):
        queue.complete(token, LOCK_S)


def test_a_renewed_lock_holds_from_the_renewal() -> None:
    queue = make()
    send(queue)
    _, token = take(queue, 0)
    assert queue.renew(token, 8) == 8 + LOCK_S
    assert queue.receive(LOCK_S + 1) is None
    assert queue.next_event() == 8 + LOCK_S
    queue.complete(token, 17)
    assert queue.counts(17) == Counts(0, 0, 0, 0)


@pytest.mark.parametrize("operation", ["renew", "complete", "abandon", "release", "defer", "dead_letter"])
def test_a_settled_message_cannot_be_settled_again(operation: str) -> None:
    queue = make()
    send(queue)
    _, token = take(queue, 0)
    queue.complete(token, 0)
    with pytest.raises(LockLost, match="lock supplied is invalid"):
        getattr(queue, operation)(token, 0)


def test_too_many_failures_dead_letter() -> None:
    queue = make()
    send(queue)
    queue.abandon(take(queue, 0)[1], 0)
    queue.abandon(take(queue, 0)[1], 0)
    take(queue, 0)
    assert queue.receive(LOCK_S) is None
    entry, token = take(queue.dead_letters, LOCK_S)
    assert reason(entry) == (
        "MaxDeliveryCountExceeded",
        "Message could not be consumed after 3 delivery attempts.",
    )
    for _ in range(5):  # it stays, however often it fails here
        queue.dead_letters.abandon(token, LOCK_S)
        _, token = take(queue.dead_letters, LOCK_S)
    with pytest.raises(NotAllowed):
        queue.dead_letters.dead_letter(token, LOCK_S)


def test_dead_letter_keeps_the_sequence_number_and_says_why() -> None:
    queue = make()
    send(queue)
    send(queue)
    take(queue, 0)
    queue.dead_letter(take(queue, 0)[1], 0, "bad", "very bad")
    [entry] = queue.dead_letters.peek(1, 10, 0)
    assert (entry.sequence, reason(entry)) == (2, ("bad", "very bad"))


def test_a_deferred_message_is_found_by_its_number_only() -> None:
    queue = make()
    send(queue)
    queue.defer(take(queue, 0)[1], 0)
    assert queue.receive(0) is None
    [entry] = queue.receive_deferred([1], 1)
    assert (entry.state, entry.delivery_count) == (State.DEFERRED, 1)
    with pytest.raises(MessageNotFound):
        queue.receive_deferred([1], 1)  # locked
    assert queue.receive(1 + LOCK_S) is None
    [entry] = queue.receive_deferred([1], 1 + LOCK_S)
    assert entry.lock_token
    queue.complete(entry.lock_token, 1 + LOCK_S)
    assert queue.counts(20) == Counts(0, 0, 0, 0)


def test_receive_deferred_takes_all_or_none() -> None:
    queue = make()
    send(queue)
    queue.defer(take(queue, 0)[1], 0)
    with pytest.raises(MessageNotFound, match="no deferred message 9"):
        queue.receive_deferred([1, 9], 0)
    assert queue.receive_deferred([1], 0)


def test_a_scheduled_message_appears_when_due_under_a_new_number() -> None:
    queue = make()
    assert send(queue, scheduled_for=5).state is State.SCHEDULED
    send(queue, now=1)
    assert queue.next_event() == 5
    assert [take(queue, 4)[0].sequence] == [2]
    assert queue.receive(4.9) is None
    entry, _ = take(queue, 6)
    assert (entry.sequence, entry.enqueued_at) == (3, 5)


def test_a_scheduled_message_can_be_cancelled_until_it_is_due() -> None:
    queue = make()
    first, second = send(queue, scheduled_for=5), send(queue, scheduled_for=5)
    queue.cancel_scheduled([first.sequence], 4)
    with pytest.raises(MessageNotFound):
        queue.cancel_scheduled([first.sequence], 4)
    with pytest.raises(MessageNotFound):
        queue.cancel_scheduled([second.sequence], 5)
    assert queue.counts(5) == Counts(1, 0, 0, 0)


@pytest.mark.parametrize("dead_letters", [False, True])
def test_an_expired_message_goes(dead_letters: bool) -> None:
    queue = make(dead_lettering_on_message_expiration=dead_letters)
    send(queue, ttl=5)
    assert queue.next_event() == 5
    queue.advance(5)
    assert queue.counts(5) == Counts(0, 0, 0, 0)
    found = queue.dead_letters.peek(1, 5, 1e6)
    assert [reason(entry)[0] for entry in found] == (["TTLExpiredException"] if dead_letters else [])


def test_the_shorter_time_to_live_holds() -> None:
    queue = make(default_time_to_live_s=3)
    send(queue, ttl=5)
    send(queue, ttl=1)
    send(queue)
    assert [len(queue.peek(1, 9, now)) for now in (0.9, 1, 2.9, 3)] == [3, 2, 2, 0]


def test_a_locked_message_can_be_completed_after_it_expired_but_not_abandoned_back() -> None:
    queue = make()
    send(queue, ttl=5)
    send(queue, ttl=5)
    _, first = take(queue, 0)
    _, second = take(queue, 0)
    queue.complete(first, 6)
    queue.abandon(second, 6)
    assert queue.counts(6) == Counts(0, 0, 0, 0)


def test_duplicates_are_dropped_within_the_window() -> None:
    queue = make(duplicate_detection_window_s=10)
    assert queue.send(message("a"), 1, 0)
    assert queue.send(message("a"), 1, 9.9) is None
    queue.complete(take(queue, 9.9)[1], 9.9)
    assert queue.send(message("a"), 1, 9.9) is None
    assert queue.send(message("b"), 1, 9.9)
    assert queue.send(message("a"), 1, 10)


def test_without_a_window_nothing_is_a_duplicate() -> None:
    queue = make()
    assert send(queue, "a").sequence != send(queue, "a").sequence


def test_a_full_queue_refuses() -> None:
    queue = make(max_size_mb=1)
    queue.send(message(), 2**20, 0)
    with pytest.raises(QuotaExceeded, match="1 MB"):
        queue.send(message(), 1, 0)
    queue.complete(take(queue, 0)[1], 0)
    send(queue)


def test_peek_shows_every_state_in_order() -> None:
    queue = make()
    send(queue)
    send(queue, scheduled_for=99)
    send(queue)
    send(queue)
    queue.defer(take(queue, 0)[1], 0)
    take(queue, 0)
    assert [(e.sequence, e.state) for e in queue.peek(1, 10, 0)] == [
        (1, State.DEFERRED),
        (2, State.SCHEDULED),
        (3, State.ACTIVE),
        (4, State.ACTIVE),
    ]
    assert [e.sequence for e in queue.peek(2, 2, 0)] == [2, 3]
    assert queue.counts(0) == Counts(active=1, locked=1, deferred=1, scheduled=1)


class QueueMachine(RuleBasedStateMachine):
    """Any order of operations against a model: a dict of what each message should be doing."""

    @initialize()
    def start(self) -> None:
        self.options = QueueOptions(lock_duration_s=LOCK_S, max_delivery_count=MAX_DELIVERIES)
        self.store = FileStore(Path(":memory:"))
        self.store.save_queue(StoredQueue("q", self.options, 0, 0, 0))
        self.queue = Queue("q", self.options, self.store)
        self.now = 0.0
        self.sent = 0
        self.place: dict[str, str] = {}  # message id to active, locked, deferred, scheduled, dead or gone
        self.failures: dict[str, int] = {}
        self.due: dict[str, float] = {}
        self.tokens: dict[str, tuple[uuid.UUID, float, str]] = {}  # id to token, end of lock, place to go back to

    def ids(self, place: str) -> list[str]:
        return [name for name, where in self.place.items() if where == place]

    def fail(self, name: str) -> None:
        _, _, back = self.tokens.pop(name)
        self.failures[name] += 1
        self.place[name] = "dead" if self.failures[name] >= MAX_DELIVERIES else back

    @rule(delay=st.integers(0, 20))
    def send(self, delay: int) -> None:
        name = f"m{self.sent}"
        self.sent += 1
        assert self.queue.send(message(name), 100, self.now, scheduled_for=self.now + delay if delay else None)
        self.place[name], self.failures[name] = "scheduled" if delay else "active", 0
        self.due[name] = self.now + delay

    @rule()
    def receive(self) -> None:
        expected = self.ids("active")
        entry = self.queue.receive(self.now)
        if not expected:
            assert entry is None
            return
        assert entry
        name = entry.message.message_id
        assert name in expected, "delivered while not active"
        assert entry.delivery_count == self.failures[name]
        assert all(entry.sequence <= other.sequence for other in self.active()), "not the first in line"
        assert entry.lock_token
        self.tokens[name] = (entry.lock_token, self.now + LOCK_S, "active")
        self.place[name] = "locked"

    def active(self) -> list[Entry]:
        entries = self.queue.peek(1, 1000, self.now)
        return [entry for entry in entries if self.place[entry.message.message_id or ""] == "active"]

    @precondition(lambda self: self.tokens)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(["complete", "abandon", "release", "defer", "dead_letter", "renew"]),
    )
    def settle(self, data: st.DataObject, outcome: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.tokens)))
        token, _, back = self.tokens[name]
        getattr(self.queue, outcome)(token, self.now)
        if outcome == "renew":
            self.tokens[name] = (token, self.now + LOCK_S, back)
        elif outcome == "abandon":
            self.fail(name)
        else:
            del self.tokens[name]
            self.failures[name] += outcome == "defer"
            self.place[name] = {"complete": "gone", "release": back, "defer": "deferred", "dead_letter": "dead"}[
                outcome
            ]

    @rule(data=st.data())
    def receive_deferred(self, data: st.DataObject) -> None:
        names = {e.message.message_id or "": e.sequence for e in self.queue.peek(1, 1000, self.now)}
        deferred = sorted(set(self.ids("deferred")))
        if not deferred:
            return
        name = data.draw(st.sampled_from(deferred))
        [entry] = self.queue.receive_deferred([names[name]], self.now)
        assert entry.lock_token
        self.tokens[name] = (entry.lock_token, self.now + LOCK_S, "deferred")
        self.place[name] = "locked"

    @rule(seconds=st.integers(1, 15))
    def wait(self, seconds: int) -> None:
        self.now += seconds
        self.queue.advance(self.now)
        for name, (_, end, _) in list(self.tokens.items()):
            if end <= self.now:
                self.fail(name)
        for name in self.ids("scheduled"):
            if self.due[name] <= self.now:
                self.place[name] = "active"

    @rule()
    def restart(self) -> None:
        self.store.commit({"q": self.queue.last_sequence})
        [stored] = self.store.queues()
        self.queue = Queue("q", stored.options, self.store)
        self.queue.restore(self.store.entries("q"), {}, stored.last_sequence)
        self.queue.dead_letters.restore(self.store.entries("q/$DeadLetterQueue"), {}, 0)
        for name, (_, _, back) in self.tokens.items():
            self.place[name] = back  # a restart ends all locks
        self.tokens.clear()

    @invariant()
    def nothing_is_lost(self) -> None:
        main = self.queue.peek(1, 1000, self.now)
        dead = self.queue.dead_letters.peek(1, 1000, self.now)
        alive = [name for name, where in self.place.items() if where not in ("dead", "gone")]
        assert sorted(entry.message.message_id or "" for entry in main) == sorted(alive)
        assert sorted(entry.message.message_id or "" for entry in dead) == sorted(self.ids("dead"))
        assert self.queue.size == 100 * len(main)

    @invariant()
    def counts_add_up(self) -> None:
        counts = self.queue.counts(self.now)
        held = [back for _, _, back in self.tokens.values()]
        assert counts == Counts(
            len(self.ids("active")),
            held.count("active"),
            len(self.ids("deferred")) + held.count("deferred"),
            len(self.ids("scheduled")),
        )

    @invariant()
    def the_next_event_is_known(self) -> None:
        ends = [end for _, end, _ in self.tokens.values()] + [self.due[name] for name in self.ids("scheduled")]
        assert (self.queue.next_event() or self.now + 1) > self.now
        if ends:
            assert self.queue.next_event() == min(ends)


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
