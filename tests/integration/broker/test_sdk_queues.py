"""What the queue tests in the SDK's own repository ask of Service Bus, asked of the broker in our words.

The broker's README has the tally. Cases that other modules of this folder have are not repeated here.
"""

import datetime
import pickle
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from azure.servicebus import (
    AutoLockRenewer,
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusMessageBatch,
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
    ServiceBusError,
)

MakeQueue = Callable[..., str]
SOON = 5
AND_DELETE = ServiceBusReceiveMode.RECEIVE_AND_DELETE


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def send(client: ServiceBusClient, queue: str, *bodies: str) -> None:
    with client.get_queue_sender(queue) as sender:
        sender.send_messages([ServiceBusMessage(body) for body in bodies])


def receive(receiver: ServiceBusReceiver, count: int = 1) -> list[ServiceBusReceivedMessage]:
    messages: list[ServiceBusReceivedMessage] = []
    while len(messages) < count:
        more = receiver.receive_messages(count - len(messages), max_wait_time=SOON)
        assert more, f"got {len(messages)} of {count} messages"
        messages += more
    return messages


@pytest.fixture
def defer(client: ServiceBusClient, queue: str) -> Callable[..., list[int]]:
    """Send messages and defer them; return their sequence numbers."""

    def run(*bodies: str) -> list[int]:
        send(client, queue, *bodies)
        with client.get_queue_receiver(queue) as receiver:
            messages = receive(receiver, len(bodies))
            for message in messages:
                receiver.defer_message(message)
            return [message.sequence_number or 0 for message in messages]

    return run


# --- sending


def test_nothing_to_do_is_no_request(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages([])
        sender.send_messages(ServiceBusMessageBatch())
        assert sender.schedule_messages([], now()) == []
        sender.cancel_scheduled_messages([])
        assert receiver.receive_deferred_messages([]) == []
        assert receiver.peek_messages() == []


def test_dicts_and_mixed_lists_are_messages(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages({"body": "one"})
        mixed: list[Any] = [{"body": "two", "message_id": "id"}, ServiceBusMessage("three")]
        sender.send_messages(mixed)
        assert [(str(m), m.message_id) for m in receive(receiver, 3)][1] == ("two", "id")
        bad: list[Any] = [{"bad": "one"}, [{"bad": "one"}], "text"]
        for one in bad:
            with pytest.raises(TypeError):
                sender.send_messages(one)


def test_a_batch_of_a_given_size_is_full_early(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        batch = sender.create_message_batch(max_size_in_bytes=73)
        batch.add_message(ServiceBusMessage("Message"))
        with pytest.raises(MessageSizeExceededError):
            batch.add_message(ServiceBusMessage("Message"))
        sender.send_messages(batch)
        assert len(receive(receiver)) == 1
        with pytest.raises(ValueError, match="too large"):
            sender.create_message_batch(max_size_in_bytes=2 * 256 * 1024)


def test_a_list_over_the_limit_is_refused(client: ServiceBusClient, queue: str) -> None:
    half = ServiceBusMessage("A" * 128 * 1024)
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        with pytest.raises(MessageSizeExceededError):
            sender.send_messages([half, half])
        assert receiver.peek_messages() == []
        sender.send_messages(ServiceBusMessage("A" * 250 * 1024))
        assert str(receive(receiver)[0]) == "A" * 250 * 1024


def test_batches_and_received_messages_can_be_sent_again(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        batch = sender.create_message_batch()
        batch.add_message(ServiceBusMessage("a"))
        batch.add_message(ServiceBusMessage("b"))
        sender.send_messages(batch)
        sender.send_messages(batch)
        first, *rest = receive(receiver, 4)
        assert [str(message) for message in (first, *rest)] == ["a", "b", "a", "b"]
        receiver.complete_message(first)
        copy = pickle.loads(pickle.dumps(first))
        assert (copy.sequence_number, str(copy)) == (first.sequence_number, "a")
        sender.send_messages(first)
        sender.send_messages(copy)
        assert [(str(m), m.sequence_number) for m in receive(receiver, 2)] == [("a", 5), ("a", 6)]


def test_a_peeked_message_can_be_sent_on_but_not_settled(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages(
            ServiceBusMessage("a", subject="label", time_to_live=datetime.timedelta(seconds=60), to="to")
        )
        [peeked] = receiver.peek_messages(5)
        with pytest.raises(ValueError, match="peek"):
            receiver.complete_message(peeked)
        sender.send_messages(peeked)
        for message in receive(receiver, 2):
            assert (str(message), message.subject, message.to) == ("a", "label", "to")
            assert message.time_to_live == datetime.timedelta(seconds=60)
            assert message.enqueued_time_utc
            assert message.expires_at_utc == message.enqueued_time_utc + message.time_to_live


def test_a_message_with_a_session_id_is_an_ordinary_message_here(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages(ServiceBusMessage("a", session_id="s", reply_to_session_id="r"))
        [message] = receive(receiver)
        assert (message.session_id, message.reply_to_session_id) == ("s", "r")


def test_a_message_without_properties_has_none(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        for name in ("application_properties", "subject", "content_type", "correlation_id", "to", "reply_to"):
            assert not getattr(message, name), name
        for name in ("scheduled_enqueue_time_utc", "time_to_live", "session_id", "partition_key", "expires_at_utc"):
            assert not getattr(message, name), name


def test_every_section_of_a_message_arrives(client: ServiceBusClient, queue: str) -> None:
    message = ServiceBusMessage("body")
    raw = message.raw_amqp_message
    assert raw.properties
    assert raw.header
    raw.properties.subject = "subject"
    raw.application_properties = {b"application": 1}
    raw.annotations = {b"annotation": 2}
    raw.delivery_annotations = {b"delivery": 3}
    raw.header.priority = 5
    raw.footer = {b"footer": 6}
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        for one in (message, [message, message]):
            sender.send_messages(one)
        for received in receive(receiver, 3):
            found = received.raw_amqp_message
            assert found.properties
            assert found.header
            assert found.properties.subject == b"subject"
            assert found.application_properties == {b"application": 1}
            assert found.annotations
            assert found.annotations[b"annotation"] == 2
            assert found.delivery_annotations
            assert found.delivery_annotations[b"delivery"] == 3
            assert found.header.priority == 5
            assert found.footer == {b"footer": 6}


def test_annotated_messages_of_all_kinds_share_a_batch(client: ServiceBusClient, queue: str) -> None:
    messages: list[Any] = [
        AmqpAnnotatedMessage(data_body=[b"aa", b"bb"], delivery_annotations={"d": "v"}),
        AmqpAnnotatedMessage(value_body={b"key": [-123, b"data", False]}, header={"priority": 10}),
        AmqpAnnotatedMessage(sequence_body=[b"message", 123.456, True], footer={"f": "v"}),
        {"body": "dict"},
        ServiceBusMessage("plain"),
    ]
    kinds = [AmqpMessageBodyType.DATA, AmqpMessageBodyType.VALUE, AmqpMessageBodyType.SEQUENCE]
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        batch = sender.create_message_batch()
        for message in messages:
            batch.add_message(message)
        sender.send_messages(batch)
        sender.send_messages(messages)
        received = [message.raw_amqp_message for message in receive(receiver, 10)]
        assert [one.body_type for one in received] == [*kinds, kinds[0], kinds[0]] * 2
        for data, value, sequence in (received[:3], received[5:8]):
            assert list(data.body) == [b"aa", b"bb"]
            assert data.delivery_annotations
            assert data.delivery_annotations[b"d"] == b"v"
            assert (value.body, value.header and value.header.priority) == ({b"key": [-123, b"data", False]}, 10)
            assert list(sequence.body) == [[b"message", 123.456, True]]
            assert sequence.footer == {b"f": b"v"}


# --- receiving


def test_the_lock_token_is_the_delivery_tag_and_an_annotation(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        annotations = message.raw_amqp_message.delivery_annotations
        assert annotations
        assert message.lock_token == annotations[b"x-opt-lock-token"]
        assert message.lock_token == uuid.UUID(bytes_le=message._delivery_tag)


def test_closed_senders_and_receivers_say_so(client: ServiceBusClient, queue: str) -> None:
    sender, receiver = client.get_queue_sender(queue), client.get_queue_receiver(queue)
    with sender, receiver:
        sender.send_messages(ServiceBusMessage("a"))
        [message] = receive(receiver)
    attempts: list[Callable[[], object]] = [
        lambda: sender.send_messages(ServiceBusMessage("a")),
        lambda: sender.schedule_messages(ServiceBusMessage("a"), now()),
        lambda: sender.cancel_scheduled_messages(1),
        sender.__enter__,
        receiver.receive_messages,
        lambda: receiver.receive_deferred_messages(1),
        receiver.peek_messages,
        lambda: receiver.complete_message(message),
        receiver.__enter__,
    ]
    for attempt in attempts:
        with pytest.raises(ValueError, match=r"shutdown|closed"):
            attempt()


def test_waiting_for_no_time_is_refused(client: ServiceBusClient, queue: str) -> None:
    with pytest.raises(ValueError, match="max_wait_time"):
        client.get_queue_receiver(queue, max_wait_time=0)
    with client.get_queue_receiver(queue) as receiver, pytest.raises(ValueError, match="max_wait_time"):
        receiver.receive_messages(max_wait_time=0)


def test_iteration_ends_when_nothing_comes_and_goes_on_later(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue, max_wait_time=1) as receiver:
        sender.send_messages([ServiceBusMessage(body) for body in "01"])
        messages = [next(receiver)]
        messages += list(receiver)
        with pytest.raises(StopIteration):
            next(receiver)
        sender.send_messages([ServiceBusMessage(body) for body in "23"])
        for message in receiver:
            messages.append(message)
            messages += list(receiver)  # nested
        assert [str(message) for message in messages] == list("0123")
        for message in messages:
            receiver.complete_message(message)
            with pytest.raises(MessageAlreadySettled):
                receiver.renew_message_lock(message)
        assert receiver.receive_messages(max_wait_time=0.3) == []


def test_iteration_can_be_left_and_taken_up(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, *"0123456789")
    with client.get_queue_receiver(queue, max_wait_time=SOON) as receiver:
        for limit in (5, 6):
            bodies = []
            for message in receiver:
                receiver.complete_message(message)
                bodies.append(str(message))
                if int(str(message)) >= limit - 1:
                    break
            assert len(bodies) == (5 if limit == 5 else 1)


def test_abandoned_in_an_iteration_they_come_again_in_it(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, *"0123456789")
    counts = []
    with client.get_queue_receiver(queue, max_wait_time=1) as receiver:
        for message in receiver:
            counts.append(message.delivery_count)
            (receiver.complete_message if message.delivery_count else receiver.abandon_message)(message)
    assert sorted(filter(None, counts)) == [1] * 10
    assert len(counts) == 20


@pytest.mark.parametrize("prefetch", [0, 2])
def test_receive_and_delete_by_list_and_by_iteration(client: ServiceBusClient, queue: str, prefetch: int) -> None:
    send(client, queue, *"0123456789")
    with client.get_queue_receiver(
        queue, receive_mode=AND_DELETE, prefetch_count=prefetch, max_wait_time=2
    ) as receiver:
        bodies = [str(message) for message in receiver.receive_messages(3, max_wait_time=SOON)]
        bodies += [str(message) for message in receiver]
        assert bodies == list("0123456789")
        assert receiver.peek_messages(10, sequence_number=1) == []


def test_what_was_deleted_cannot_be_settled(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a")
    with client.get_queue_receiver(queue, receive_mode=AND_DELETE) as receiver:
        [message] = receive(receiver)
        for operation in (
            receiver.complete_message,
            receiver.abandon_message,
            receiver.defer_message,
            receiver.dead_letter_message,
            receiver.renew_message_lock,
        ):
            with pytest.raises(ValueError, match=r"RECEIVE_AND_DELETE|not supported"):
                operation(message)


def test_what_arrives_between_two_receives_is_released_uncounted(
    client: ServiceBusClient, make_queue: MakeQueue
) -> None:
    queue = make_queue(lock_duration="PT5S", max_delivery_count=20)
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages([ServiceBusMessage("test")] * 5)
        taken = receiver.receive_messages(10, max_wait_time=1)  # leaves credit
        for message in taken + receive(receiver, 5 - len(taken)):
            receiver.complete_message(message)
        sender.send_messages([ServiceBusMessage("test")] * 5)
        time.sleep(1)
        for message in receive(receiver, 5):
            assert message.delivery_count == 0
            receiver.complete_message(message)


def test_resent_while_iterating_all_come(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue, max_wait_time=1) as receiver:
        sender.send_messages([ServiceBusMessage("test", subject="1st")] * 20)
        subjects = []
        for message in receiver:
            subjects.append(message.subject)
            receiver.complete_message(message)
            if message.subject == "1st":
                message.subject = "2nd"
                sender.send_messages(message)
        assert sorted(map(str, subjects)) == ["1st"] * 20 + ["2nd"] * 20


def test_a_received_message_survives_pickling(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages(ServiceBusMessage('{"a": 1}', application_properties={"k": "v"}, subject="label"))
        [message] = receive(receiver)
        receiver.complete_message(message)
        copy = pickle.loads(pickle.dumps(message))
        for name in ("application_properties", "subject", "delivery_count", "enqueued_time_utc", "sequence_number"):
            assert getattr(copy, name) == getattr(message, name)


# --- settling and locks


def test_deferred_messages_are_fetched_by_another_receiver(
    client: ServiceBusClient, queue: str, defer: Callable[..., list[int]]
) -> None:
    numbers = defer(*"0123456789")
    with client.get_queue_receiver(queue) as receiver:
        assert receiver.receive_messages(max_wait_time=0.3) == []
        messages = receiver.receive_deferred_messages(numbers)
        assert [str(message) for message in messages] == list("0123456789")
        for message in messages:
            assert message.state is ServiceBusMessageState.DEFERRED
            assert message.locked_until_utc
            before = message.locked_until_utc
            assert receiver.renew_message_lock(message) >= before
            receiver.complete_message(message)
        with pytest.raises(MessageNotFoundError):
            receiver.receive_deferred_messages(numbers)


def test_deferred_messages_are_found_all_or_none(
    client: ServiceBusClient, queue: str, defer: Callable[..., list[int]]
) -> None:
    numbers = defer(*"abc")
    with client.get_queue_receiver(queue) as receiver:
        for wanted in ([numbers[-1], numbers[-1] + 1], [5, 6, 7]):
            with pytest.raises(MessageNotFoundError):
                receiver.receive_deferred_messages(wanted)
        assert len(receiver.receive_deferred_messages(numbers)) == 3


def test_deferred_messages_are_dead_lettered_with_reasons(
    client: ServiceBusClient, queue: str, defer: Callable[..., list[int]]
) -> None:
    numbers = defer(*"abc")
    with client.get_queue_receiver(queue) as receiver:
        for message in receiver.receive_deferred_messages(numbers):
            receiver.dead_letter_message(message, reason="reason", error_description="description")
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        for message in receive(dead, 3):
            assert (message.dead_letter_reason, message.dead_letter_error_description) == ("reason", "description")
            assert message.application_properties == {
                b"DeadLetterReason": b"reason",
                b"DeadLetterErrorDescription": b"description",
            }
            dead.complete_message(message)


def test_a_message_is_settled_after_its_link_was_detached(client: ServiceBusClient, queue: str) -> None:
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        receiver._handler._link.detach()  # type: ignore[union-attr]
        receiver.complete_message(message)  # the SDK turns to the management link
        assert receiver.peek_messages(5, sequence_number=1) == []


def test_a_message_is_settled_over_the_management_link_when_the_link_fails(
    client: ServiceBusClient, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    for outcome in ("complete", "abandon", "defer", "dead_letter"):
        send(client, queue, outcome)
        with client.get_queue_receiver(queue) as receiver:
            [message] = receive(receiver)
            with monkeypatch.context() as patched:
                patched.setattr(receiver._handler, "settle_messages", fail)
                getattr(receiver, f"{outcome}_message")(message)
            if outcome == "abandon":
                [message] = receive(receiver)
                assert message.delivery_count == 1
                receiver.complete_message(message)
    with client.get_queue_receiver(queue) as receiver:
        left = receiver.peek_messages(5, sequence_number=1)
        assert [(str(message), message.state) for message in left] == [("defer", ServiceBusMessageState.DEFERRED)]


def test_an_expired_lock_is_lost_and_the_message_comes_again(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    queue = make_queue(lock_duration="PT2S")
    send(client, queue, "a")
    with client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        time.sleep(2.2)
        for operation in (receiver.complete_message, receiver.renew_message_lock):
            with pytest.raises(MessageLockLostError):
                operation(message)
    with client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        assert message.delivery_count
        receiver.complete_message(message)


def test_renewals_end_and_are_told(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    queue = make_queue(lock_duration="PT2S")
    send(client, queue, "a")
    failed: list[object] = []
    with AutoLockRenewer() as renewer, client.get_queue_receiver(queue) as receiver:
        [message] = receive(receiver)
        renewer.register(
            receiver,
            message,
            max_lock_renewal_duration=1,
            on_lock_renew_failure=lambda renewable, error: failed.append(error),
        )
        time.sleep(3.5)
        with pytest.raises(MessageLockLostError):
            receiver.complete_message(message)
        [again] = receive(receiver)
        assert again.delivery_count == 1


def test_receivers_that_delete_renew_nothing(client: ServiceBusClient, queue: str) -> None:
    with AutoLockRenewer() as renewer, pytest.raises(ValueError, match="RECEIVE_AND_DELETE"):
        client.get_queue_receiver(queue, receive_mode=AND_DELETE, auto_lock_renewer=renewer)
    with pytest.raises(ValueError, match=r"receive_mode|Mode"):
        client.get_queue_receiver(queue, receive_mode="RECEIVEANDDELETE")
    with pytest.raises(ServiceBusError), client.get_queue_receiver(queue, session_id="test"):
        pass


# --- time, duplicates


def test_a_message_id_may_be_a_uuid(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    queue = make_queue(requires_duplicate_detection=True)
    same = uuid.uuid4()
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        for number in range(3):
            sender.send_messages(ServiceBusMessage(str(number), message_id=same))  # type: ignore[arg-type]
        [message] = receive(receiver)
        assert message.message_id == same
        receiver.complete_message(message)
        assert receiver.receive_messages(max_wait_time=0.3) == []


def test_duplicates_in_a_batch_are_dropped(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    queue = make_queue(requires_duplicate_detection=True)
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages([ServiceBusMessage(body, message_id=body) for body in "abab"])
        assert [str(message) for message in receiver.peek_messages(9)] == ["a", "b"]


def test_scheduled_messages_keep_their_time_and_properties(client: ServiceBusClient, queue: str) -> None:
    with (
        client.get_queue_sender(queue) as sender,
        client.get_queue_receiver(queue, prefetch_count=20) as receiver,
    ):
        sender.send_messages([ServiceBusMessage(b, subject="label", application_properties={"k": "v"}) for b in "ab"])
        received = receive(receiver, 2)
        for message in received:
            receiver.complete_message(message)
        due = (now() + datetime.timedelta(seconds=3)).replace(microsecond=0)
        numbers = sender.schedule_messages([*received, ServiceBusMessage("dropped")], due)
        assert len(numbers) == 3
        assert {message.state for message in receiver.peek_messages(9, sequence_number=numbers[0])} == {
            ServiceBusMessageState.SCHEDULED
        }
        sender.cancel_scheduled_messages(numbers[2:])
        for message in receive(receiver, 2):
            assert (message.subject, message.application_properties) == ("label", {b"k": b"v"})
            assert message.scheduled_enqueue_time_utc == due
            assert message.enqueued_time_utc
            assert message.enqueued_time_utc >= due
            assert (message.delivery_count, message.state) == (0, ServiceBusMessageState.ACTIVE)
            receiver.complete_message(message)


def test_many_scheduled_messages_are_cancelled_at_once(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        due = now() + datetime.timedelta(hours=1)
        numbers = sender.schedule_messages([{"body": str(number)} for number in range(50)], due)
        assert len(set(numbers)) == 50
        sender.cancel_scheduled_messages(numbers)
        assert receiver.peek_messages(9) == []
        with pytest.raises(MessageNotFoundError):
            sender.cancel_scheduled_messages(numbers[:2])


def test_an_expired_message_is_a_dead_letter(client: ServiceBusClient, make_queue: MakeQueue) -> None:
    queue = make_queue(dead_lettering_on_message_expiration=True)
    with client.get_queue_sender(queue) as sender:
        sender.send_messages(ServiceBusMessage("a", time_to_live=datetime.timedelta(seconds=1)))
    time.sleep(1.1)
    with client.get_queue_receiver(queue, prefetch_count=5) as receiver:
        assert receiver.receive_messages(5, max_wait_time=0.5) == []
    with client.get_queue_receiver(queue, sub_queue=ServiceBusSubQueue.DEAD_LETTER, max_wait_time=1) as dead:
        messages = list(dead)
        assert [message.dead_letter_reason for message in messages] == ["TTLExpiredException"]
        dead.complete_message(messages[0])


def test_peeking_pages_through_a_long_queue(client: ServiceBusClient, queue: str) -> None:
    bodies = [str(number) for number in range(260)]
    send(client, queue, *bodies)
    with client.get_queue_receiver(queue) as receiver:
        found: list[str] = []
        while page := receiver.peek_messages(100):
            found += [str(message) for message in page]
        assert found == bodies
        assert [message.delivery_count for message in receive(receiver, 3)] == [0, 0, 0]
