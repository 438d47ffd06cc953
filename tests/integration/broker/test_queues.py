"""The sync client of azure-servicebus against the broker."""

import datetime
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.servicebus import (
    AutoLockRenewer,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusReceiver,
    ServiceBusSubQueue,
)
from azure.servicebus.amqp import AmqpAnnotatedMessage, AmqpMessageBodyType
from azure.servicebus.exceptions import (
    MessageAlreadySettled,
    MessageLockLostError,
    MessageNotFoundError,
    MessageSizeExceededError,
    MessagingEntityNotFoundError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
)

MakeQueue = Callable[..., str]
SOON = 5  # seconds that a message which is there may take


def send(client: ServiceBusClient, queue: str, *messages: ServiceBusMessage | str) -> None:
    with client.get_queue_sender(queue) as sender:
        for message in messages:
            sender.send_messages(message if isinstance(message, ServiceBusMessage) else ServiceBusMessage(message))


def receive(receiver: ServiceBusReceiver, count: int = 1, wait: float = SOON) -> list[ServiceBusReceivedMessage]:
    """Receive exactly `count` messages."""
    messages: list[ServiceBusReceivedMessage] = []
    while len(messages) < count:
        more = receiver.receive_messages(count - len(messages), max_wait_time=wait)
        assert more, f"got {len(messages)} of {count} messages"
        messages += more
    return messages


def is_empty(receiver: ServiceBusReceiver) -> bool:
    return receiver.receive_messages(max_wait_time=0.3) == []


def dead_letters(client: ServiceBusClient, queue: str) -> list[ServiceBusReceivedMessage]:
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        return receiver.peek_messages(100)


def test_a_message_arrives_with_all_it_was_sent_with(client: ServiceBusClient, queue: str) -> None:
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    properties: dict[str | bytes, Any] = {
        "text": "grün",
        "count": 7,
        "ratio": 0.5,
        "flag": True,
        "id": uuid.UUID(int=9),
        "nothing": None,
    }
    sent = ServiceBusMessage(
        b"\x00\xffbody",
        application_properties=dict(properties),
        content_type="application/octet-stream",
        correlation_id="corr",
        message_id="mid",
        subject="subject",
        to="to",
        reply_to="reply",
        reply_to_session_id="reply-session",
        partition_key="part",
        time_to_live=datetime.timedelta(minutes=5),
    )
    send(client, queue, sent)
    with client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        assert b"".join(message.body) == b"\x00\xffbody"
        assert message.application_properties == {
            k.encode(): v.encode() if isinstance(v, str) else v for k, v in properties.items() if isinstance(k, str)
        }
        assert (message.content_type, message.correlation_id) == ("application/octet-stream", "corr")
        assert (message.message_id, message.subject, message.to) == ("mid", "subject", "to")
        assert (message.reply_to, message.reply_to_session_id) == ("reply", "reply-session")
        assert (message.partition_key, message.time_to_live) == ("part", datetime.timedelta(minutes=5))
        assert (message.delivery_count, message.sequence_number, message.enqueued_sequence_number) == (0, 1, 1)
        assert message.state is ServiceBusMessageState.ACTIVE
        now = datetime.datetime.now(datetime.UTC)
        assert message.enqueued_time_utc
        assert message.locked_until_utc
        assert before < message.enqueued_time_utc <= now
        assert datetime.timedelta(seconds=50) < message.locked_until_utc - now <= datetime.timedelta(seconds=60)
        assert isinstance(message.lock_token, uuid.UUID)
        receiver.complete_message(message)
        assert is_empty(receiver)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (AmqpMessageBodyType.DATA, {"data_body": [b"one", b"two"]}),
        (AmqpMessageBodyType.VALUE, {"value_body": {b"k": [1, 2]}}),
        (AmqpMessageBodyType.SEQUENCE, {"sequence_body": [[1, 2], [3]]}),
    ],
)
def test_every_kind_of_body(
    client: ServiceBusClient, queue: str, kind: AmqpMessageBodyType, body: dict[str, Any]
) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages(AmqpAnnotatedMessage(**body))
        [message] = receive(receiver)
        assert message.body_type is kind
        received = message.body if kind is AmqpMessageBodyType.VALUE else list(message.body)
        assert [received] == list(body.values())


def test_a_batch_is_many_messages(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        batch = sender.create_message_batch()
        assert batch.max_size_in_bytes == 256 * 1024
        for number in range(50):
            batch.add_message(ServiceBusMessage(str(number), message_id=f"id-{number}"))
        sender.send_messages(batch)
        sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
        messages = receive(receiver, 52)
        assert [str(message) for message in messages] == [*map(str, range(50)), "a", "b"]
        assert messages[7].message_id == "id-7"
        assert [message.sequence_number for message in messages] == list(range(1, 53))


def test_a_batch_is_full_at_the_limit(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender:
        batch = sender.create_message_batch()
        one = ServiceBusMessage(b"x" * 1024)
        while batch.size_in_bytes < batch.max_size_in_bytes - 1100:
            batch.add_message(one)
        with pytest.raises(MessageSizeExceededError):
            batch.add_message(one)
        sender.send_messages(batch)
    with client.get_queue_receiver(queue) as receiver:
        assert len(receive(receiver, len(batch))) == len(batch) > 200


def test_a_message_over_the_limit_is_refused_and_the_sender_lives_on(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        with pytest.raises(MessageSizeExceededError):
            sender.send_messages(ServiceBusMessage(b"x" * 257 * 1024))
        sender.send_messages(ServiceBusMessage(b"x" * 255 * 1024))
        [message] = receive(receiver)
        assert len(b"".join(message.body)) == 255 * 1024


def test_receive_and_delete(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a", "b")
    with client.get_queue_receiver(queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        assert [str(message) for message in receive(receiver, 2)] == ["a", "b"]
    with client.get_queue_receiver(queue) as receiver:
        assert is_empty(receiver)


def test_an_abandoned_message_comes_back_counted(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        for count in range(3):
            [message] = receive(receiver)
            assert message.delivery_count == count
            receiver.abandon_message(message)


@pytest.mark.parametrize("undeliverable_here", [False, True])
def test_abandon_and_defer_may_modify_properties(
    client: ServiceBusClient, queue: str, undeliverable_here: bool
) -> None:
    # The Python SDK has no argument for it; other SDKs send it as the annotations of a modified outcome.
    send(client, queue, ServiceBusMessage("a", application_properties={"old": 1, "kept": "x"}))
    with client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        receiver._handler.settle_messages(
            message._delivery_id,
            message._delivery_tag,
            "modified",
            delivery_failed=True,
            undeliverable_here=undeliverable_here,
            message_annotations={b"old": 2, b"new": "y"},
            await_outcome=True,
        )
        [again] = receiver.receive_deferred_messages(1) if undeliverable_here else receive(receiver)
        assert again.application_properties == {b"old": 2, b"kept": b"x", b"new": b"y"}


def test_too_many_deliveries_dead_letter(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    queue = make_queue(max_delivery_count=2)
    send(client, queue, ServiceBusMessage("a", application_properties={"kept": 1}))
    with client.get_queue_receiver(queue) as receiver:
        for _ in range(2):
            receiver.abandon_message(receive(receiver)[0])
        assert is_empty(receiver)
    [message] = dead_letters(client, queue)
    assert message.dead_letter_reason == "MaxDeliveryCountExceeded"
    assert message.application_properties
    assert message.application_properties[b"kept"] == 1


def test_dead_letter_with_reason_and_receive_from_there(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "bad", "good")
    with client.get_queue_receiver(queue) as receiver:
        bad, good = receive(receiver, 2)
        receiver.dead_letter_message(bad, reason="Nonsense", error_description="no such style")
        receiver.complete_message(good)
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as receiver:
        [message] = receive(receiver)
        assert (str(message), message.sequence_number) == ("bad", bad.sequence_number)
        assert (message.dead_letter_reason, message.dead_letter_error_description) == ("Nonsense", "no such style")
        assert message.dead_letter_source == queue
        receiver.complete_message(message)
    assert dead_letters(client, queue) == []


def test_dead_letter_without_reason(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "bad")
    with client.get_queue_receiver(queue) as receiver:
        receiver.dead_letter_message(receive(receiver)[0])
    assert [message.dead_letter_reason for message in dead_letters(client, queue)] == [None]


def test_defer_and_receive_deferred(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a", "b")
    with client.get_queue_receiver(queue) as receiver:
        first, second = receive(receiver, 2)
        receiver.defer_message(first)
        receiver.complete_message(second)
        assert is_empty(receiver)
        assert [message.state for message in receiver.peek_messages(5, sequence_number=1)] == [
            ServiceBusMessageState.DEFERRED
        ]
        assert first.sequence_number
        [message] = receiver.receive_deferred_messages(first.sequence_number)
        assert (str(message), message.state) == ("a", ServiceBusMessageState.DEFERRED)
        assert isinstance(message.lock_token, uuid.UUID)
        receiver.renew_message_lock(message)
        receiver.complete_message(message)
        with pytest.raises(MessageNotFoundError):
            receiver.receive_deferred_messages(first.sequence_number)


@pytest.mark.parametrize("outcome", ["abandon", "dead_letter", "defer"])
def test_a_deferred_message_is_settled_over_the_management_link(
    client: ServiceBusClient, queue: str, outcome: str
) -> None:
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        receiver.defer_message(message)
        assert message.sequence_number
        [deferred] = receiver.receive_deferred_messages(message.sequence_number)
        getattr(receiver, f"{outcome}_message")(deferred)
        if outcome == "dead_letter":
            assert [str(dead) for dead in dead_letters(client, queue)] == ["a"]
        else:
            [again] = receiver.receive_deferred_messages(message.sequence_number)
            assert again.delivery_count == 2
            receiver.complete_message(again)


def test_a_deferred_message_can_be_received_and_deleted(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        receiver.defer_message(message)
    assert message.sequence_number
    with client.get_queue_receiver(queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE) as receiver:
        assert [str(m) for m in receiver.receive_deferred_messages([message.sequence_number])] == ["a"]
        assert receiver.peek_messages(5) == []


def test_a_lock_expires(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    queue = make_queue(lock_duration="PT1S")
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as first, client.get_queue_receiver(queue) as second:
        [message] = receive(first)
        start = time.monotonic()
        [again] = receive(second)
        assert again.delivery_count == 1
        assert time.monotonic() - start == pytest.approx(1, abs=0.5)
        with pytest.raises(MessageLockLostError):
            first.complete_message(message)
        second.complete_message(again)


def test_the_broker_refuses_a_settlement_after_the_lock(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    # The SDK itself refuses an expired lock by its own clock; here it is made to believe that the lock still holds.
    queue = make_queue(lock_duration="PT0.5S")
    send(client, queue, *"abcde")
    with client.get_queue_receiver(queue) as receiver:
        messages = receive(receiver, 5)
        time.sleep(0.6)
        later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=1)
        for message in messages:
            message._expiry = later
        operations: list[Callable[[ServiceBusReceivedMessage], object]] = [
            receiver.complete_message,
            receiver.abandon_message,
            receiver.defer_message,
            receiver.dead_letter_message,
            receiver.renew_message_lock,
        ]
        for message, operation in zip(messages, operations, strict=True):
            with pytest.raises(MessageLockLostError):
                operation(message)


def test_a_lock_can_be_renewed(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    queue = make_queue(lock_duration="PT1S")
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        for _ in range(3):
            time.sleep(0.6)
            until = receiver.renew_message_lock(message)
            assert until == message.locked_until_utc
            assert until > datetime.datetime.now(datetime.UTC)
        receiver.complete_message(message)
        assert is_empty(receiver)


def test_auto_lock_renewer(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    queue = make_queue(lock_duration="PT6S")
    send(client, queue, "a")
    with AutoLockRenewer() as renewer, client.get_queue_receiver(queue, auto_lock_renewer=renewer) as receiver:
        [message] = receive(receiver)
        time.sleep(8)
        receiver.complete_message(message)
        assert is_empty(receiver)


def test_settling_twice_is_refused_by_the_sdk(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        receiver.complete_message(message)
        with pytest.raises(MessageAlreadySettled):
            receiver.complete_message(message)


def test_peek(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, *"abcde")
    with client.get_queue_receiver(queue) as receiver:
        assert [str(message) for message in receiver.peek_messages(2)] == ["a", "b"]
        assert [str(message) for message in receiver.peek_messages(2)] == ["c", "d"]
        assert [str(message) for message in receiver.peek_messages(9, sequence_number=4)] == ["d", "e"]
        assert receiver.peek_messages(9, sequence_number=99) == []
        [message] = receive(receiver)
        assert (str(message), message.delivery_count) == ("a", 0)


def test_scheduled_messages(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        receiver.peek_messages()  # links are open before the time is taken
        due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=3)
        numbers = sender.schedule_messages([ServiceBusMessage("a"), ServiceBusMessage("b")], due)
        assert numbers == [1, 2]
        [number] = sender.schedule_messages(ServiceBusMessage("cancelled"), due + datetime.timedelta(hours=1))
        sender.cancel_scheduled_messages(number)
        with pytest.raises(MessageNotFoundError):
            sender.cancel_scheduled_messages(number)
        assert [message.state for message in receiver.peek_messages(9)] == [ServiceBusMessageState.SCHEDULED] * 2
        messages = receive(receiver, 2)
        assert datetime.datetime.now(datetime.UTC) >= due
        assert [(str(m), m.state) for m in messages] == [(body, ServiceBusMessageState.ACTIVE) for body in "ab"]
        assert messages[0].scheduled_enqueue_time_utc
        assert abs(messages[0].scheduled_enqueue_time_utc - due) < datetime.timedelta(milliseconds=2)
        for message in messages:
            receiver.complete_message(message)
        assert is_empty(receiver)


def test_a_message_sent_with_a_scheduled_time(client: ServiceBusClient, queue: str) -> None:
    due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=4)
    send(client, queue, ServiceBusMessage("later", scheduled_enqueue_time_utc=due), "now")
    with client.get_queue_receiver(queue) as receiver:
        assert [str(message) for message in receive(receiver, 2)] == ["now", "later"]


def test_time_to_live(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    queue, dying = make_queue(), make_queue(dead_lettering_on_message_expiration=True)
    for name in (queue, dying):
        send(client, name, ServiceBusMessage("short", time_to_live=datetime.timedelta(seconds=1)), "long")
    time.sleep(1)
    for name in (queue, dying):
        with client.get_queue_receiver(name) as receiver:
            assert [str(message) for message in receiver.peek_messages(9)] == ["long"]
    assert dead_letters(client, queue) == []
    assert [message.dead_letter_reason for message in dead_letters(client, dying)] == ["TTLExpiredException"]


def test_duplicate_detection(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    queue = make_queue(requires_duplicate_detection=True, duplicate_detection_history_time_window="PT1S")
    send(client, queue, *(ServiceBusMessage(body, message_id="same") for body in "ab"))
    time.sleep(1)
    send(client, queue, ServiceBusMessage("c", message_id="same"))
    with client.get_queue_receiver(queue) as receiver:
        assert [str(message) for message in receiver.peek_messages(9)] == ["a", "c"]


def test_prefetch_takes_messages_ahead(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, *map(str, range(30)))
    with (
        client.get_queue_receiver(queue, prefetch_count=20) as first,
        client.get_queue_receiver(queue) as second,
    ):
        assert len(receive(first, 10)) == 10
        got = [int(str(message)) for message in receive(second, 1)]
        assert got > [19]  # the first 20 or 21 are locked by the other's prefetch


def test_closing_a_receiver_returns_its_messages(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "held", "buffered")
    receiver = client.get_queue_receiver(queue, prefetch_count=10)
    receive(receiver)
    receiver.close()
    with client.get_queue_receiver(queue) as other:
        messages = receive(other, 2)
        assert [(str(m), m.delivery_count) for m in messages] == [("held", 1), ("buffered", 0)]


def test_a_broken_connection_returns_its_messages(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a")
    receiver = client.get_queue_receiver(queue)
    receive(receiver)
    receiver._handler._connection._transport.sock.close()  # type: ignore[union-attr]
    with client.get_queue_receiver(queue) as other:
        [message] = receive(other)
        assert message.delivery_count == 1


def test_a_waiting_receiver_gets_a_message_at_once(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue, prefetch_count=1) as receiver:
        delays = []
        for _ in range(5):
            sender.send_messages(ServiceBusMessage("x"))
            start = time.monotonic()
            receiver.complete_message(next(receiver))
            delays.append(time.monotonic() - start)
        assert min(delays) < 0.1, "delivery waits for something"


def test_receivers_take_turns(client: ServiceBusClient, queue: str) -> None:
    with (
        client.get_queue_receiver(queue) as first,
        client.get_queue_receiver(queue) as second,
        client.get_queue_sender(queue) as sender,
        ThreadPoolExecutor() as threads,
    ):
        waiting = [threads.submit(receiver.receive_messages, 5, SOON) for receiver in (first, second)]
        time.sleep(0.5)
        sender.send_messages([ServiceBusMessage(str(i)) for i in range(10)])
        shares = [[int(str(message)) % 2 for message in future.result()] for future in waiting]
        assert sorted(shares) == [[0] * 5, [1] * 5]


def test_names_are_case_insensitive(client: ServiceBusClient, queue: str) -> None:
    send(client, queue.upper(), "a")
    with client.get_queue_receiver(queue) as receiver:
        assert len(receiver.peek_messages()) == 1


@pytest.mark.parametrize("attempt", ["send", "open sender", "receive", "open receiver"])
def test_an_unknown_queue(client: ServiceBusClient, attempt: str) -> None:
    attempts: dict[str, Callable[[], object]] = {
        "send": lambda: client.get_queue_sender("missing").send_messages(ServiceBusMessage("a")),
        "open sender": lambda: client.get_queue_sender("missing").__enter__(),
        "receive": lambda: client.get_queue_receiver("missing").receive_messages(max_wait_time=5),
        "open receiver": lambda: client.get_queue_receiver("missing").__enter__(),
    }
    with pytest.raises(MessagingEntityNotFoundError, match="'missing' could not be found"):
        attempts[attempt]()


def test_what_is_left_out_is_refused(client: ServiceBusClient, queue: str) -> None:
    with (
        pytest.raises(ServiceBusError, match="no sessions"),
        client.get_queue_receiver(queue, session_id="s") as receiver,
    ):
        receiver.receive_messages(max_wait_time=1)
    with (
        pytest.raises(ServiceBusError, match="queues and their dead-letter queues only"),
        client.get_subscription_receiver("topic", "subscription") as subscription,
    ):
        subscription.receive_messages(max_wait_time=1)
    with pytest.raises(ServiceBusError, match="cannot be sent to the dead-letter queue"):
        send(client, f"{queue}/$deadletterqueue", "a")


def test_a_received_message_can_be_sent_on(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, ServiceBusMessage("a", application_properties={"k": "v"}, message_id="m"))
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        sender.send_messages(message)
        receiver.complete_message(message)
        [again] = receive(receiver)
        assert (str(again), again.application_properties, again.message_id) == ("a", {b"k": b"v"}, "m")
        assert again.sequence_number == 2


def test_a_full_queue_says_so(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    queue = make_queue(max_size_in_megabytes=1)
    large = ServiceBusMessage(b"x" * 200 * 1024)
    with client.get_queue_sender(queue) as sender:
        for _ in range(5):
            sender.send_messages(large)
        with pytest.raises(ServiceBusQuotaExceededError, match="maximum size of 1 MB"):
            sender.send_messages(large)
