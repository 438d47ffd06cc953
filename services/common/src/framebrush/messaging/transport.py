"""The SDK's connection, with an end to every wait.

The SDK bounds its waits when it is asked to (``try_timeout``), except for two: it does the TLS handshake, and reads the
broker's first bytes, on a socket without a timeout. A broker, proxy or network that accepts a connection and then says
nothing stops a thread there for ever.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.servicebus._pyamqp import _connection
from azure.servicebus._pyamqp.sasl import SASLTransport

ANSWER = 10.0
"""Seconds within which a broker answers, whatever it is asked."""


class BoundedTransport(SASLTransport):
    """A connection's socket that does not wait for ever."""

    sock: Any

    def _setup_transport(self) -> None:
        self.sock.settimeout(ANSWER)  # for the TLS handshake
        super()._setup_transport()  # type: ignore[no-untyped-call]

    def negotiate(self) -> None:
        """Agree with the broker on how to log in.

        Raises:
            TimeoutError: the broker did not answer.
        """
        try:
            super().negotiate()  # type: ignore[no-untyped-call]
        except TypeError:  # the SDK unpacks the frame that did not come
            raise TimeoutError(f"no answer within {ANSWER:g} s") from None

    @contextmanager
    def block(self) -> Iterator[Any]:
        """Wait for the broker's first bytes, at most ``ANSWER`` seconds for each part of them."""
        sock = self.sock
        previous = sock.gettimeout()
        sock.settimeout(ANSWER)
        try:
            yield sock
        finally:
            sock.settimeout(previous)


_connection.SASLTransport = BoundedTransport  # type: ignore[attr-defined]
