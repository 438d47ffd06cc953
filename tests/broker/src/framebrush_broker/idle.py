"""Ends links and connections that have been idle, as Service Bus does; off unless the fault options give a time."""

from typing import TYPE_CHECKING

from framebrush_broker.errors import ConnectionIdle, LinkIdle
from framebrush_broker.links import Incoming, Link, Outgoing

if TYPE_CHECKING:
    from framebrush_broker.server import Server

_CHECKS_PER_LIMIT = 4


class IdleWatch:
    """Looks at all links and connections a few times within the shortest limit."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._detach_s, self._close_s = server.faults.options.detach_idle_s, server.faults.options.close_idle_s
        limits = [limit for limit in (self._detach_s, self._close_s) if limit is not None]
        self._period_s = min(limits) / _CHECKS_PER_LIMIT if limits else None

    def start(self) -> None:
        """Look for the first time after a period; without limits, never."""
        if self._period_s is not None:
            self._server.loop.call_later(self._period_s, self._check)

    def _check(self) -> None:
        now = self._server.loop.time()
        for connection in list(self._server.connections):
            if self._close_s is not None and now - connection.active_at >= self._close_s:
                connection.close(
                    ConnectionIdle(
                        f"The connection was inactive for more than the allowed {self._close_s * 1000:.0f} milliseconds"
                        " and is closed."
                    )
                )
            elif self._detach_s is not None:
                self._detach_idle(connection.links, now, self._detach_s)
        self.start()

    def _detach_idle(self, links: set[Link], now: float, limit_s: float) -> None:
        for link in [link for link in links if isinstance(link, Incoming | Outgoing)]:
            if now - link.active_at >= limit_s:
                link.connection.detach(
                    link, LinkIdle(f"The link is force detached. Details: idle timer expired after {limit_s} s.")
                )
