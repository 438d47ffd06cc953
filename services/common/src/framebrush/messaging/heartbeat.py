"""Notices that the broker has become silent.

A receiver whose connection is dead, but was never closed, looks like one whose queue is empty.
"""

import time

from azure.servicebus import ServiceBusReceiver

from framebrush.messaging.client import translated
from framebrush.messaging.transport import ANSWER

INTERVAL = 20.0
"""The seconds without a sign of life after which the broker is asked for one."""


class Heartbeat:
    """Watches one receiver for signs of life of the broker."""

    def __init__(self, receiver: ServiceBusReceiver) -> None:
        self._receiver, self._felt = receiver, time.monotonic()

    def note(self) -> None:
        """Note that the broker has just said something over the receiver's connection."""
        self._felt = time.monotonic()

    def check(self) -> None:
        """Ask the broker for a sign of life if there was none for ``INTERVAL`` seconds.

        Raises:
            Unavailable: The broker did not answer.
        """
        if time.monotonic() - self._felt < INTERVAL:
            return
        with translated():
            self._receiver.peek_messages(1, timeout=ANSWER)
        self.note()
