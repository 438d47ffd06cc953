"""The five queues of a broker process, as a test sees them."""

import time
from collections.abc import Callable
from typing import Any

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage, ServiceBusSubQueue

from framebrush.broker import Outbox, connect
from framebrush.messages import Message
from framebrush.settings import Settings
from framebrush_broker.testing import BrokerProcess


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


class Queues:
    """Sends to the queues, and looks into them."""

    def __init__(self, process: BrokerProcess) -> None:
        self.process = process

    def settings(self, **changes: Any) -> Settings:
        connections = {
            "storage_connection_string": "unused",
            "servicebus_connection_string": self.process.connection_string,
        }
        return Settings.model_validate(connections | changes)

    def send(self, *messages: Message) -> None:
        with connect(self.settings()) as client, Outbox(client) as outbox:
            for message in messages:
                outbox.send(message)

    def send_raw(self, queue: str, *messages: ServiceBusMessage) -> None:
        with connect(self.settings()) as client, client.get_queue_sender(queue) as sender:
            for message in messages:
                sender.send_messages(message)

    def peek(self, queue: str, *, dead: bool = False) -> list[ServiceBusReceivedMessage]:
        sub_queue = ServiceBusSubQueue.DEAD_LETTER if dead else None
        with connect(self.settings()) as client, client.get_queue_receiver(queue, sub_queue=sub_queue) as receiver:
            return receiver.peek_messages(100)
