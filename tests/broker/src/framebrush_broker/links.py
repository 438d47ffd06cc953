"""The links a client opens: to send to a queue, to receive from one, and to ask `$cbs` or `$management`."""

import logging
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import proton

from framebrush_broker.entry import Entry
from framebrush_broker.errors import (
    BadRequest,
    BrokerError,
    LockLost,
    MessageTooLarge,
    NotAllowed,
    NotSupported,
    ServerBusy,
)
from framebrush_broker.management import respond
from framebrush_broker.messages import BATCH_FORMAT, Message, unbatch
from framebrush_broker.namespace import entity_path
from framebrush_broker.queue import Queue
from framebrush_broker.wire import condition, decode_data, encode_entry, encode_value

if TYPE_CHECKING:
    from framebrush_broker.connection import Connection

_log = logging.getLogger(__name__)

CREDIT = 1000
CBS, MANAGEMENT = "$cbs", "$management"
_SESSION_FILTER = "com.microsoft:session-filter"


class Link:
    """What all links have; `engine` is proton's link."""

    def __init__(self, connection: "Connection", engine: Any, queue: Queue | None = None) -> None:
        self.connection = connection
        self.server = connection.server
        self.engine = engine
        self.queue = queue
        self.active_at = 0.0
        """When a message last went over the link, by the event loop's clock."""
        self.mark_active()

    def mark_active(self) -> None:
        """Note that a message goes over the link now."""
        self.active_at = self.connection.active_at = self.server.loop.time()

    def opened(self) -> None:
        """Start: the attach is answered."""

    def closed(self) -> None:
        """End: the link was detached, or its session or connection ended."""

    def detached(self) -> None:
        """The client detaches the link without closing it; `closed` follows."""

    def on_flow(self) -> None:
        """Credit has changed."""

    def on_delivery(self, delivery: Any) -> None:
        """A delivery has new data or a new state."""


def open_link(connection: "Connection", engine: Any) -> Link:
    """Make the link that a client's attach asks for. Raises BrokerError."""
    address = (engine.remote_target if engine.is_receiver else engine.remote_source).address
    if not address:
        raise NotSupported("This broker has no dynamic nodes, anonymous targets or transactions: give an address.")
    path = entity_path(address)
    node = path.rsplit("/", 1)[-1].lower()
    link: Link
    if node in (CBS, MANAGEMENT):
        queue = None if node == CBS else connection.server.namespace.resolve(path[: -len(MANAGEMENT)].strip("/"))
        link = (Requests if engine.is_receiver else Replies)(connection, engine, path, queue)
    else:
        queue = connection.server.namespace.resolve(path)
        if engine.is_receiver:
            if queue.dead_letters is queue:
                raise NotAllowed(f"Messages cannot be sent to the dead-letter queue {queue.name}.")
            link = Incoming(connection, engine, queue)
            engine.max_message_size = connection.server.max_message_size
            engine.properties = {
                proton.symbol("com.microsoft:max-message-batch-size"): proton.ulong(connection.server.max_batch_size)
            }
        else:
            if _SESSION_FILTER in (decode_data(engine.remote_source.filter) or {}):
                raise NotSupported(f"'{path}': this broker has no sessions.")
            link = Outgoing(connection, engine, queue)
    engine.source.copy(engine.remote_source)
    engine.target.copy(engine.remote_target)
    engine.snd_settle_mode, engine.rcv_settle_mode = engine.remote_snd_settle_mode, engine.remote_rcv_settle_mode
    return link


class _Receiving(Link):
    """A link on which the client sends."""

    def opened(self) -> None:
        """Give credit."""
        self.engine.flow(CREDIT)

    def on_delivery(self, delivery: Any) -> None:
        """Take a whole message and settle it by the outcome of `take`."""
        if delivery.aborted:
            delivery.settle()
            return
        if not delivery.readable or delivery.partial:
            return
        self.mark_active()
        payload = bytes(self.engine.recv(delivery.pending) or b"")
        self.engine.advance()
        try:
            self.take(payload, getattr(delivery, "message_format", 0))
        except BrokerError as error:
            delivery.local.condition = condition(error)
            delivery.update(proton.Delivery.REJECTED)
        else:
            delivery.update(proton.Delivery.ACCEPTED)
        delivery.settle()
        if self.engine.credit < CREDIT // 2:
            self.engine.flow(CREDIT - self.engine.credit)

    def take(self, payload: bytes, message_format: int) -> None:
        """Handle what one delivery carries: one encoded message, or more by its message format."""
        raise NotImplementedError


class Incoming(_Receiving):
    """A client sends messages to a queue."""

    queue: Queue

    def take(self, payload: bytes, message_format: int) -> None:
        """Enqueue a message or all messages of a batch; a batch is taken whole or not at all."""
        is_batch = message_format == BATCH_FORMAT
        encoded = unbatch(payload) if is_batch else [payload]
        limit = self.server.max_batch_size if is_batch else self.server.max_message_size
        if len(payload) > limit:
            raise MessageTooLarge(f"The received message of {len(payload)} bytes exceeds the limit of {limit} bytes.")
        messages = [(Message.decode(one), len(one)) for one in encoded]
        if self.server.faults.is_busy():
            raise ServerBusy("The server is busy. Please wait and try again.")
        if self.server.faults.forgets_duplicates():
            self.queue.history.clear()
        now = self.server.namespace.clock()
        self.queue.check_room(sum(size for _, size in messages))
        for message, size in messages:
            self.queue.send(message, size, now, scheduled_for=message.scheduled_for)
        self.server.touch(self.queue)


class Outgoing(Link):
    """A client receives messages from a queue."""

    queue: Queue

    def __init__(self, connection: "Connection", engine: Any, queue: Queue) -> None:
        super().__init__(connection, engine, queue)
        self.deletes = engine.remote_snd_settle_mode == proton.Link.SND_SETTLED
        """Receive-and-delete: a message is gone once it is sent."""
        self._unsettled: set[uuid.UUID] = set()

    def closed(self) -> None:
        """Give back what the client did not settle: each is a failed delivery."""
        self.server.waiting(self.queue).pop(self, None)
        now = self.server.namespace.clock()
        for token in self._unsettled:
            try:
                self.queue.abandon(token, now)
            except LockLost:
                continue
        self._unsettled.clear()
        self.server.touch(self.queue)

    def detached(self) -> None:
        """Leave what the client did not settle locked: it may settle over `$management` until the locks end."""
        self._unsettled.clear()

    def on_flow(self) -> None:
        """Take part in deliveries while there is credit; return the credit of a drain that finds nothing."""
        if self.engine.credit > 0 and self.server.faults.is_busy():
            self.connection.detach(self, ServerBusy("The server is busy. Please wait and try again."))
            return
        if self.engine.credit > 0:
            self.server.waiting(self.queue)[self] = None
            self.server.pump(self.queue)
            self.server.touch(self.queue)
            self.engine.drained()
        if self.engine.credit <= 0:
            self.server.waiting(self.queue).pop(self, None)

    def deliver(self, entry: Entry, now: float) -> bool:
        """Send a locked message; return whether there is credit for another."""
        self.mark_active()
        token = entry.lock_token
        assert token is not None
        delivery = self.engine.delivery(token.bytes_le)
        self.engine.stream(encode_entry(self.queue, entry))
        if self.deletes:
            self.queue.complete(token, now)
            delivery.settle()
        else:
            delivery.lock_token = token
            self._unsettled.add(token)
            self.engine.advance()
        self.server.wake(self.connection)
        return bool(self.engine.credit > 0)

    def on_delivery(self, delivery: Any) -> None:
        """Apply the client's outcome and confirm it, by the same outcome or a rejection that says why not."""
        if not delivery.updated or self.deletes:
            return
        token, state = delivery.lock_token, delivery.remote_state
        if state == proton.Delivery.RECEIVED or (not state and not delivery.settled):
            return
        self.mark_active()
        self._unsettled.discard(token)
        try:
            self._settle(token, state, delivery.remote)
        except BrokerError as error:
            _log.info("%s: %s", self.queue.name, error)
            delivery.local.condition = condition(error)
            delivery.update(proton.Delivery.REJECTED)
        else:
            delivery.update(state)
        delivery.settle()
        self.server.touch(self.queue)

    def _settle(self, token: uuid.UUID, state: int, outcome: Any) -> None:
        now = self.server.namespace.clock()
        if state == proton.Delivery.ACCEPTED:
            self.server.complete(self.queue, token, now)
        elif state == proton.Delivery.MODIFIED:
            changes = _encoded(outcome.annotations or {})
            (self.queue.defer if outcome.undeliverable else self.queue.abandon)(token, now, changes)
        elif state == proton.Delivery.REJECTED:
            cause = outcome.condition
            info = dict(cause.info or {}) if cause else {}
            reason = info.pop("DeadLetterReason", None)
            description = info.pop("DeadLetterErrorDescription", None)
            self.queue.dead_letter(token, now, reason, description, _encoded(info))
        else:
            self.queue.release(token, now)


def _encoded(values: Mapping[Any, Any]) -> dict[str, bytes]:
    return {str(name): encode_value(value) for name, value in values.items()}


class Requests(_Receiving):
    """A client asks `$cbs` for access or `QUEUE/$management` for an operation."""

    def __init__(self, connection: "Connection", engine: Any, path: str, queue: Queue | None) -> None:
        super().__init__(connection, engine, queue)
        self.path = path

    def take(self, payload: bytes, message_format: int) -> None:
        """Answer on the client's reply link. Raises BadRequest when it has opened none."""
        request = proton.Message()
        try:
            request.decode(payload)
        except proton.ProtonException as error:
            raise BadRequest(f"The request is not valid AMQP 1.0: {error}.") from None
        links = [link for link in self.connection.links if isinstance(link, Replies) and link.path == self.path]
        named = [link for link in links if request.reply_to and link.engine.target.address == request.reply_to]
        if not links:
            raise BadRequest(f"Open a receiver on {self.path} before sending it a request.")
        (named or links)[-1].reply(respond(request, self.queue, self.server))


class Replies(Link):
    """The link on which a client takes the answers to its requests."""

    def __init__(self, connection: "Connection", engine: Any, path: str, queue: Queue | None) -> None:
        super().__init__(connection, engine, queue)
        self.path = path

    def reply(self, response: proton.Message) -> None:
        """Send an answer; proton holds it until there is credit."""
        self.mark_active()
        self.engine.send(response).settle()
