"""The SDK's connection, with an end to every wait.

The SDK bounds its waits when it is asked to (``try_timeout``), except for two: the TLS handshake and the broker's first
bytes come over a socket without a timeout. If a broker, proxy or network accepts a connection and then says nothing, a
thread waits there for ever.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from azure.servicebus._pyamqp import _connection
from azure.servicebus._pyamqp.sasl import SASLTransport

ANSWER = 10.0
"""The seconds within which a broker must answer any request."""


class BoundedTransport(SASLTransport):
    """A connection's socket that does not wait for ever."""

    sock: Any

    def _setup_transport(self) -> None:
        self.sock.settimeout(ANSWER)  # This bounds the TLS handshake.
        super()._setup_transport()  # type: ignore[no-untyped-call]

    def negotiate(self) -> None:
        """Agree with the broker on how to log in.

        Raises:
            TimeoutError: The broker did not answer.
        """
        try:
            super().negotiate()  # type: ignore[no-untyped-call]
        except TypeError:  # The SDK unpacks a frame even if none came.
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
