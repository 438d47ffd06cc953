"""The operations of `QUEUE/$management` and the token exchange of `$cbs`.

Names and shapes: "AMQP request/response-based operations in Azure Service Bus" in Microsoft's documentation.
"""

import logging
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import proton

from framebrush_broker.entry import Entry
from framebrush_broker.errors import BadRequest, BrokerError, NotSupported, ServerBusy
from framebrush_broker.messages import Message
from framebrush_broker.queue import Queue
from framebrush_broker.wire import encode_entry, encode_value

if TYPE_CHECKING:
    from framebrush_broker.server import Server

_log = logging.getLogger(__name__)

_VENDOR = "com.microsoft:"
_NO_CONTENT = 204
_RECEIVE_AND_DELETE = 0

Body = dict[str, Any]


def respond(request: proton.Message, queue: Queue | None, server: "Server") -> proton.Message:
    """Answer a request to `$cbs` (no queue) or to a queue's `$management`."""
    if queue is None:
        # Any token is good: this broker is for development and does not check access.
        return _response(request, {"status-code": 202, "status-description": "Accepted"}, None)
    properties: dict[str, Any] = request.properties or {}
    name = str(properties.get("operation", "")).removeprefix(_VENDOR)
    try:
        operation = _OPERATIONS.get(name)
        if operation is None:
            raise NotSupported(f"This broker has no management operation '{name}'.")
        if server.faults.is_busy():
            raise ServerBusy("The server is busy. Please wait and try again.")
        body = operation(_Arguments(request.body), queue, server)
    except BrokerError as error:
        _log.info("%s %s: %s", queue.name, name, error)
        status = {"statusCode": error.status, "statusDescription": str(error)}
        return _response(request, {**status, "errorCondition": proton.symbol(error.condition)}, None)
    server.touch(queue)
    status = {"statusCode": _NO_CONTENT if body is None else 200, "statusDescription": "OK"}
    return _response(request, status, body)


def _response(request: proton.Message, status: Body, body: Body | None) -> proton.Message:
    properties = {name: proton.int32(value) if isinstance(value, int) else value for name, value in status.items()}
    return proton.Message(correlation_id=request.id, properties=properties, body=body)


class _Arguments:
    """A request's body. All accessors raise BadRequest for a value that is missing or of the wrong type."""

    def __init__(self, body: object) -> None:
        if not isinstance(body, dict):
            raise BadRequest("The request's body must be a map.")
        self._body = body

    def _get(self, name: str, kind: type | tuple[type, ...]) -> Any:
        value = self._body.get(name)
        if not isinstance(value, kind):
            raise BadRequest(f"The request's '{name}' is {value!r}.")
        return value

    def integer(self, name: str) -> int:
        return int(self._get(name, int))

    def text(self, name: str) -> str | None:
        value = self._body.get(name)
        return None if value is None else str(value)

    def mapping(self, name: str) -> Body:
        value = self._body.get(name)
        return {} if value is None else dict(self._get(name, dict))

    def sequences(self) -> list[int]:
        return [int(number) for number in self._items("sequence-numbers")]

    def lock_tokens(self) -> list[uuid.UUID]:
        return [uuid.UUID(str(token)) for token in self._items("lock-tokens")]

    def messages(self) -> list[bytes]:
        return [bytes(item["message"]) for item in self._items("messages")]

    def _items(self, name: str) -> list[Any]:
        value = self._get(name, (list, proton.Array))
        return list(value.elements if isinstance(value, proton.Array) else value)


def _array(kind: Any, values: list[Any]) -> proton.Array:
    return proton.Array(cast(Any, proton.UNDESCRIBED), kind, *values)


def _renew_lock(arguments: _Arguments, queue: Queue, server: "Server") -> Body:
    now = server.namespace.clock()
    ends = [queue.renew(token, now) for token in arguments.lock_tokens()]
    return {"expirations": _array(proton.Data.TIMESTAMP, [int(end * 1000) for end in ends])}


def _peek(arguments: _Arguments, queue: Queue, server: "Server") -> Body | None:
    start, count = arguments.integer("from-sequence-number"), arguments.integer("message-count")
    entries = queue.peek(start, count, server.namespace.clock())
    return {"messages": [{"message": encode_entry(queue, entry)} for entry in entries]} if entries else None


def _receive_deferred(arguments: _Arguments, queue: Queue, server: "Server") -> Body:
    now = server.namespace.clock()
    entries = queue.receive_deferred(arguments.sequences(), now)
    answer = [_locked(queue, entry) for entry in entries]
    if arguments.integer("receiver-settle-mode") == _RECEIVE_AND_DELETE:
        for entry in entries:
            assert entry.lock_token is not None
            queue.complete(entry.lock_token, now)
    return {"messages": answer}


def _locked(queue: Queue, entry: Entry) -> Body:
    return {"message": encode_entry(queue, entry), "lock-token": entry.lock_token}


def _schedule(arguments: _Arguments, queue: Queue, server: "Server") -> Body:
    now = server.namespace.clock()
    encoded = arguments.messages()
    for one in encoded:
        server.check_size(len(one))
    queue.check_room(sum(map(len, encoded)))
    entries = []
    for one in encoded:
        message = Message.decode(one)
        entries.append(queue.send(message, len(one), now, scheduled_for=message.scheduled_for))
    # A duplicate is dropped in silence, as on a plain send; 0 is no message's number.
    numbers = [entry.sequence if entry else 0 for entry in entries]
    return {"sequence-numbers": _array(proton.Data.LONG, numbers)}


def _cancel_scheduled(arguments: _Arguments, queue: Queue, server: "Server") -> Body:
    queue.cancel_scheduled(arguments.sequences(), server.namespace.clock())
    return {}


def _update_disposition(arguments: _Arguments, queue: Queue, server: "Server") -> Body:
    now, status = server.namespace.clock(), arguments.text("disposition-status")
    changes = {str(k): encode_value(v) for k, v in arguments.mapping("properties-to-modify").items()}
    for token in arguments.lock_tokens():
        if status == "completed":
            server.complete(queue, token, now)
        elif status == "abandoned":
            queue.abandon(token, now, changes)
        elif status == "defered":  # the protocol's spelling
            queue.defer(token, now, changes)
        elif status == "suspended":
            reason, description = arguments.text("deadletter-reason"), arguments.text("deadletter-description")
            queue.dead_letter(token, now, reason, description, changes)
        else:
            raise BadRequest(f"The request's 'disposition-status' is {status!r}.")
    return {}


_OPERATIONS: dict[str, Callable[[_Arguments, Queue, "Server"], Body | None]] = {
    "renew-lock": _renew_lock,
    "peek-message": _peek,
    "receive-by-sequence-number": _receive_deferred,
    "schedule-message": _schedule,
    "cancel-scheduled-message": _cancel_scheduled,
    "update-disposition": _update_disposition,
}
