"""The SDK's connection, with an end to every wait.

The SDK bounds most of its waits when it is asked to (``try_timeout``). Two it does not: it reads the broker's first
bytes, and does the TLS handshake, on a socket without a timeout; and while it sends again over a connection that it has
just renewed, it waits for the link without a limit. A broker, proxy or network that accepts a connection and then says
nothing stops a thread there for ever.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from azure.servicebus._pyamqp import _connection
from azure.servicebus._pyamqp.sasl import SASLTransport

ANSWER = 10.0
"""Seconds within which a broker answers, whatever it is asked."""

_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Break connections that this thread still waits for after so many seconds."""
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


class BoundedTransport(SASLTransport):
    """A connection's socket that does not wait for ever."""

    sock: Any

    @contextmanager
    def block(self) -> Iterator[Any]:
        """Wait for the broker's first bytes, at most ``ANSWER`` seconds for each part of them."""
        self._check()
        previous = self.sock.gettimeout()
        self.sock.settimeout(ANSWER)
        try:
            yield self.sock
        finally:
            self.sock.settimeout(previous)

    def negotiate(self) -> None:
        """Agree with the broker on how to log in.

        Raises:
            TimeoutError: the broker did not answer.
        """
        try:
            super().negotiate()  # type: ignore[no-untyped-call]
        except TypeError:  # the SDK unpacks the frame that did not come
            raise TimeoutError(f"no answer within {ANSWER:g} s") from None

    def read(self, *args: Any, **options: Any) -> Any:
        """Read a frame.

        Raises:
            ConnectionAbortedError: the time of :func:`within` is over.
        """
        self._check()
        return super().read(*args, **options)  # type: ignore[no-untyped-call]

    def _setup_transport(self) -> None:
        self.sock.settimeout(ANSWER)  # for the TLS handshake
        super()._setup_transport()  # type: ignore[no-untyped-call]

    def _check(self) -> None:
        if time.monotonic() > _deadline.get():
            raise ConnectionAbortedError("no answer in time")


_connection.SASLTransport = BoundedTransport  # type: ignore[attr-defined]
