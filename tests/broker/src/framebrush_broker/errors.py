"""What the broker refuses, each with the AMQP condition and status code that Service Bus uses.

BrokerError
├── BadRequest          com.microsoft:argument-error          400
├── NotAllowed          amqp:not-allowed                      400
├── QueueNotFound       amqp:not-found                        404
├── MessageNotFound     com.microsoft:message-not-found       404
├── QueueExists         com.microsoft:entity-already-exists   409
├── LockLost            com.microsoft:message-lock-lost       410
├── MessageTooLarge     amqp:link:message-size-exceeded       413
├── QuotaExceeded       amqp:resource-limit-exceeded          403
├── NotSupported        amqp:not-implemented                  501
├── ServerBusy          com.microsoft:server-busy             503
├── LinkIdle            amqp:link:detach-forced               503
├── ConnectionIdle      amqp:connection:forced                503
└── ShuttingDown        amqp:connection:forced                503
"""


class BrokerError(Exception):
    """A refused operation; `str(error)` is the description sent to the client."""

    condition = "amqp:internal-error"
    status = 500


class BadRequest(BrokerError):
    """A request is malformed or a value is outside its range."""

    condition = "com.microsoft:argument-error"
    status = 400


class NotAllowed(BrokerError):
    """The entity does not take this operation, such as a send to a dead-letter queue."""

    condition = "amqp:not-allowed"
    status = 400


class QueueNotFound(BrokerError):
    """No queue has that name."""

    condition = "amqp:not-found"
    status = 404


class MessageNotFound(BrokerError):
    """No deferred or scheduled message has that sequence number."""

    condition = "com.microsoft:message-not-found"
    status = 404


class QueueExists(BrokerError):
    """A queue of that name exists already."""

    condition = "com.microsoft:entity-already-exists"
    status = 409


class LockLost(BrokerError):
    """The lock has expired, was released with its link, or the message is settled already."""

    condition = "com.microsoft:message-lock-lost"
    status = 410


class MessageTooLarge(BrokerError):
    """A message or batch is over the namespace's limit."""

    condition = "amqp:link:message-size-exceeded"
    status = 413


class QuotaExceeded(BrokerError):
    """The queue holds as many bytes as it may."""

    condition = "amqp:resource-limit-exceeded"
    status = 403


class NotSupported(BrokerError):
    """A Service Bus feature that this broker leaves out; the README lists them."""

    condition = "amqp:not-implemented"
    status = 501


class ServerBusy(BrokerError):
    """The request is to be tried again later: a fault on demand."""

    condition = "com.microsoft:server-busy"
    status = 503


class LinkIdle(BrokerError):
    """No message went over the link for too long: a fault on demand."""

    condition = "amqp:link:detach-forced"
    status = 503


class ConnectionIdle(BrokerError):
    """No message went over the connection for too long: a fault on demand."""

    condition = "amqp:connection:forced"
    status = 503


class ShuttingDown(BrokerError):
    """The broker is told to end."""

    condition = "amqp:connection:forced"
    status = 503
