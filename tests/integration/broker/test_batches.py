"""Batches: the transfer's message format tells them from single messages, not what they look like."""

from collections.abc import Callable
from typing import Any

import proton
import pytest
from azure.servicebus import ServiceBusClient, ServiceBusMessage, ServiceBusReceiver
from azure.servicebus.amqp import AmqpAnnotatedMessage
from proton.utils import BlockingConnection

from framebrush_broker.testing import BrokerProcess

SOON = 5


def bodies(receiver: ServiceBusReceiver, count: int) -> list[object]:
    """Receive and complete `count` messages; return their bodies, byte strings joined."""
    found: list[object] = []
    while len(found) < count:
        messages = receiver.receive_messages(count - len(found), max_wait_time=SOON)
        assert messages, f"got {found} of {count} messages"
        for message in messages:
            body = message.body
            found.append(body if body is None or isinstance(body, dict | str | bytes) else list(body))
            receiver.complete_message(message)
    assert receiver.receive_messages(max_wait_time=0.3) == []
    return found


MEMBERS: dict[str, tuple[Any, Any]] = {
    "no body": (ServiceBusMessage(None), None),
    "no body but properties": (ServiceBusMessage(None, message_id="id", application_properties={"k": "v"}), None),
    "data": (ServiceBusMessage(b"data"), [b"data"]),
    "empty data": (ServiceBusMessage(b""), [b""]),
    "value": (AmqpAnnotatedMessage(value_body={b"k": [1, 2]}), {b"k": [1, 2]}),
    "sequence": (AmqpAnnotatedMessage(sequence_body=[1, b"two"]), [[1, b"two"]]),
    "data in parts": (AmqpAnnotatedMessage(data_body=[b"a", b"b"]), [b"a", b"b"]),
}


@pytest.mark.parametrize("kind", MEMBERS)
def test_a_batch_arrives_whole_whatever_body_a_member_has(client: ServiceBusClient, queue: str, kind: str) -> None:
    member, body = MEMBERS[kind]
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        batch = sender.create_message_batch()
        batch.add_message(ServiceBusMessage(b"first"))
        batch.add_message(member)
        batch.add_message(ServiceBusMessage(b"last"))
        sender.send_messages(batch)
        assert bodies(receiver, 3) == [[b"first"], body, [b"last"]]


@pytest.mark.parametrize("kind", MEMBERS)
def test_a_batch_may_have_one_member_and_a_message_no_batch(client: ServiceBusClient, queue: str, kind: str) -> None:
    member, body = MEMBERS[kind]
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages([member])
        sender.send_messages(member)
        assert bodies(receiver, 2) == [body, body]


def test_a_message_without_body_arrives_with_its_properties(client: ServiceBusClient, queue: str) -> None:
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages([ServiceBusMessage(None, message_id="id", application_properties={"k": "v"})] * 2)
        for message in receiver.receive_messages(2, max_wait_time=SOON):
            assert (message.body, message.message_id) == (None, "id")
            assert message.application_properties == {b"k": b"v"}


def test_a_message_whose_body_is_an_encoded_message_is_one_message(client: ServiceBusClient, queue: str) -> None:
    inner = bytes(proton.Message(body=b"inner", inferred=True).encode())
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        for body in ([inner], [inner, inner]):
            sender.send_messages(AmqpAnnotatedMessage(data_body=body))
            assert bodies(receiver, 1) == [body]


def test_a_batch_in_many_frames_is_one_batch(client: ServiceBusClient, queue: str) -> None:
    # The SDK sends frames of 64 KB; only the first of a delivery must name the message format.
    large = [b"x" * 100_000, b"y" * 100_000]
    with client.get_queue_sender(queue) as sender, client.get_queue_receiver(queue) as receiver:
        sender.send_messages([ServiceBusMessage(body) for body in large])
        assert bodies(receiver, 2) == [[body] for body in large]


def test_messages_of_other_clients_are_single(broker: BrokerProcess, client: ServiceBusClient, queue: str) -> None:
    connection = BlockingConnection(f"amqp://127.0.0.1:{broker.ports['amqp']}", timeout=10)
    sender = connection.create_sender(queue)
    inner = bytes(proton.Message(body=b"inner", inferred=True).encode())
    sender.send(proton.Message(body=inner, inferred=True))
    connection.close()
    with client.get_queue_receiver(queue) as receiver:
        assert bodies(receiver, 1) == [[inner]]


def test_an_aborted_delivery_leaves_nothing_and_the_link_lives_on(
    broker: BrokerProcess, client: ServiceBusClient, queue: str
) -> None:
    connection = BlockingConnection(f"amqp://127.0.0.1:{broker.ports['amqp']}", timeout=10)
    sender = connection.create_sender(queue)
    delivery = sender.link.delivery("tag")
    sender.link.stream(b"\x00\x53\x75\xb0\x00\x00\x10\x00" + b"x" * 100)  # the start of a body of 4 KB
    steps: list[Callable[[], object]] = [lambda: None, delivery.abort]
    for step in steps:
        step()
        for _ in range(3):
            connection.container.process()
    sender.send(proton.Message(body=b"after", inferred=True))
    connection.close()
    with client.get_queue_receiver(queue) as receiver:
        assert bodies(receiver, 1) == [[b"after"]]
