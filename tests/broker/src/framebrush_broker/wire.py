"""Values between the broker's messages and proton's types."""

from typing import Any

import proton

from framebrush_broker import codec
from framebrush_broker.entry import Entry
from framebrush_broker.errors import BrokerError
from framebrush_broker.messages import LOCK_TOKEN
from framebrush_broker.queue import Queue


def encode_entry(queue: Queue, entry: Entry) -> bytes:
    """Encode a message as a receiver gets it, with the broker's annotations."""
    annotations = {
        "x-opt-sequence-number": codec.long(entry.sequence),
        "x-opt-enqueue-sequence-number": codec.long(entry.sequence),
        "x-opt-enqueued-time": codec.timestamp(entry.enqueued_at),
        "x-opt-message-state": codec.int32(entry.state),
    }
    delivery_annotations = {}
    if entry.lock_token:
        annotations["x-opt-locked-until"] = codec.timestamp(entry.locked_until)
        delivery_annotations[LOCK_TOKEN] = b"\x98" + entry.lock_token.bytes
    if queue.source:
        annotations["x-opt-deadletter-source"] = codec.string(queue.source)
    return entry.message.encode(
        delivery_count=entry.delivery_count, annotations=annotations, delivery_annotations=delivery_annotations
    )


def condition(error: BrokerError) -> proton.Condition:
    """Say on the wire what was refused."""
    # azure-servicebus reads the third field, info, of every error; proton leaves it out when it is empty.
    return proton.Condition(error.condition, str(error), {proton.symbol("status-code"): proton.int32(error.status)})


def encode_value(value: Any) -> bytes:
    """Encode a value that proton decoded."""
    data = proton.Data()
    data.put_object(value)
    return bytes(data.encode())


def decode_data(data: proton.Data) -> Any:
    """Return the Python value of proton's Data, None when it is empty."""
    data.rewind()
    return data.get_object() if data.next() is not None else None
