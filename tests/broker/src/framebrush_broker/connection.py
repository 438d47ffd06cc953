"""One client's AMQP connection: proton's engine, fed with the bytes of an asyncio transport.

proton's own event loop (`proton.reactor.Container`) is not used: it waits with `select`, which ends at 1,024 sockets,
and walks over all connections on every event. Its engine is a plain state machine without input or output.
"""

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import proton

from framebrush_broker.errors import BrokerError
from framebrush_broker.frames import MAX_FRAME_SIZE, FrameReader, message_format
from framebrush_broker.links import Link, open_link
from framebrush_broker.wire import condition

if TYPE_CHECKING:
    from framebrush_broker.server import Server

_log = logging.getLogger(__name__)


class Connection(asyncio.Protocol):
    """Turns bytes into calls on links, and back."""

    def __init__(self, server: "Server") -> None:
        self.server = server
        self.links: set[Link] = set()
        self.active_at = server.loop.time()
        """When a message last went over one of the links, by the event loop's clock."""
        self._engine = proton.Connection()
        self._events = proton.Collector()
        self._engine.collect(self._events)
        self._engine.container = "framebrush-broker"
        self._wire = proton.Transport(proton.Transport.SERVER)
        self._wire.max_frame_size = MAX_FRAME_SIZE
        self._wire.sasl().allowed_mechs("ANONYMOUS")
        self._wire.bind(self._engine)
        self._frames = FrameReader()
        self._message_format: int | None = None
        """The message format that the frame names which the engine takes in now."""
        self._tick: asyncio.TimerHandle | None = None
        self._handlers: dict[proton.EventType, Callable[[Any], None]] = {
            proton.Event.CONNECTION_REMOTE_OPEN: self._on_connection_open,
            proton.Event.CONNECTION_REMOTE_CLOSE: lambda event: event.connection.close(),
            proton.Event.SESSION_REMOTE_OPEN: lambda event: event.session.open(),
            proton.Event.SESSION_REMOTE_CLOSE: self._on_session_close,
            proton.Event.LINK_REMOTE_OPEN: self._on_link_open,
            proton.Event.LINK_REMOTE_CLOSE: self._on_link_close,
            proton.Event.LINK_REMOTE_DETACH: self._on_link_detach,
            proton.Event.LINK_FLOW: self._on_flow,
            proton.Event.DELIVERY: self._on_delivery,
        }

    # --- bytes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start: the server keeps the connection until it is lost."""
        assert isinstance(transport, asyncio.Transport)
        self._socket = transport
        # A peer that vanished without a FIN would hold its locks until they end.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Feed the engine and handle what it makes of the bytes."""
        for frame in self._frames.feed(data):
            self._message_format = message_format(frame)
            self._push(frame)
        self._message_format = None
        self.server.wake(self)

    def _push(self, data: bytes) -> None:
        while data:
            capacity = self._wire.capacity()
            if capacity <= 0:
                break
            self._wire.push(data[:capacity])
            data = data[capacity:]
            self._handle_events()

    def eof_received(self) -> None:
        """Close: the default of asyncio is to close the transport, which is what is wanted."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Release what the client held."""
        self.server.connections.discard(self)
        if self._tick:
            self._tick.cancel()
        for link in list(self.links):
            self._end(link)
        self._wire.unbind()
        self._engine.free()
        self._events.release()

    def flush(self) -> None:
        """Write what the engine has to say."""
        if self._socket.is_closing():
            return
        self._handle_events()
        while (pending := self._wire.pending()) > 0:
            self._socket.write(self._wire.peek(pending) or b"")
            self._wire.pop(pending)
        if pending < 0:
            self._socket.close()
        elif self._wire.remote_idle_timeout and self._tick is None:
            self._keep_alive()

    def _keep_alive(self) -> None:
        # The peer asked for a sign of life within its idle timeout; tick() queues empty frames and says when next.
        loop = self.server.loop
        deadline = self._wire.tick(loop.time())
        self._tick = loop.call_at(deadline, self._keep_alive) if deadline else None
        self.server.wake(self)

    def close(self, error: BrokerError) -> None:
        """Tell the client why the connection ends, and hang up; once is enough, whether or not the client listens."""
        if self._socket.is_closing():
            return
        _log.info("connection closed: %s", error)
        self._engine.condition = condition(error)
        self._engine.close()
        self.flush()
        self._socket.close()

    # --- events

    def _handle_events(self) -> None:
        while event := self._events.peek():
            handler = self._handlers.get(event.type)
            if handler:
                handler(event)
            self._events.pop()

    def _on_connection_open(self, event: Any) -> None:
        event.connection.open()

    def _on_session_close(self, event: Any) -> None:
        for link in [link for link in self.links if link.engine.session == event.session]:
            self._end(link)
        event.session.close()

    def _on_link_open(self, event: Any) -> None:
        engine = event.link
        try:
            link = open_link(self, engine)
        except BrokerError as error:
            # Attach with a null terminus, then detach with the error: AMQP 1.0, 2.6.3.
            (engine.target if engine.is_receiver else engine.source).type = proton.Terminus.UNSPECIFIED
            engine.open()
            engine.condition = condition(error)
            engine.close()
            return
        engine.broker_link = link
        self.links.add(link)
        engine.open()
        link.opened()

    def _on_link_close(self, event: Any) -> None:
        if link := getattr(event.link, "broker_link", None):
            self._end(link)
        event.link.close()
        event.link.free()

    def _on_link_detach(self, event: Any) -> None:
        if link := getattr(event.link, "broker_link", None):
            link.detached()
            self._end(link)
        # The engine's link is not freed: that would settle its deliveries, without an outcome, on the wire.
        event.link.detach()

    def detach(self, link: Link, error: BrokerError) -> None:
        """End a link from this side."""
        _log.info("link detached: %s", error)
        link.engine.condition = condition(error)
        link.engine.close()
        self._end(link)
        self.server.wake(self)

    def _end(self, link: Link) -> None:
        # proton's object and ours hold each other, one of them in C, where Python's collector does not look.
        link.engine.broker_link = None
        self.links.discard(link)
        link.closed()

    def _on_flow(self, event: Any) -> None:
        if link := getattr(event.link, "broker_link", None):
            link.on_flow()

    def _on_delivery(self, event: Any) -> None:
        if self._message_format is not None:
            event.delivery.message_format = self._message_format
        if link := getattr(event.link, "broker_link", None):
            link.on_delivery(event.delivery)
