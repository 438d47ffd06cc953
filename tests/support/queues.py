"""The queues of a broker process, as a test sees them."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from azure.servicebus import (
    ServiceBusClient,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiver,
    ServiceBusSubQueue,
)
from azure.servicebus.amqp import AmqpAnnotatedMessage

from framebrush.contracts import Message
from framebrush.messaging import MessageSender, connect
from framebrush.service import Settings
from framebrush_broker.testing import BrokerProcess


def eventually(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


class Queues:
    """Sends to the queues, and looks into them."""

    def __init__(self, process: BrokerProcess) -> None:
        self.process = process
        self._stack, self._open = ExitStack(), dict[object, Any]()

    def settings(self, **changes: Any) -> Settings:
        connections = {
            "storage_connection_string": "unused",
            "servicebus_connection_string": self.process.connection_string,
        }
        return Settings.model_validate(connections | changes)

    def send(self, *messages: Message) -> None:
        sender = self._once("sender", lambda: MessageSender(self._client()))
        for message in messages:
            sender.send(message)

    def send_raw(self, queue: str, *messages: ServiceBusMessage | AmqpAnnotatedMessage) -> None:
        sender = self._once(("sender", queue), lambda: self._client().get_queue_sender(queue))
        for message in messages:
            sender.send_messages(message)

    def peek(self, queue: str, *, dead: bool = False) -> list[ServiceBusReceivedMessage]:
        return self.receiver(queue, dead=dead).peek_messages(100, sequence_number=1)

    def receiver(self, queue: str, *, dead: bool = False) -> ServiceBusReceiver:
        sub_queue = ServiceBusSubQueue.DEAD_LETTER if dead else None
        key, client = (queue, dead), self._client()
        found: ServiceBusReceiver = self._once(key, lambda: client.get_queue_receiver(queue, sub_queue=sub_queue))
        return found

    def close(self) -> None:
        """Close all connections; the next call opens new ones."""
        self._stack.close()
        self._open.clear()

    def _client(self) -> ServiceBusClient:
        client: ServiceBusClient = self._once("client", lambda: connect(self.settings()))
        return client

    def _once(self, key: object, make: Callable[[], Any]) -> Any:
        if key not in self._open:
            self._open[key] = self._stack.enter_context(make())
        return self._open[key]
