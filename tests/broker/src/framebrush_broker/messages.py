"""A message as the broker keeps it: what it reads and rewrites apart, everything else as the bytes that were sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from framebrush_broker import codec
from framebrush_broker.errors import BadRequest

BATCH_FORMAT = 0x80013700
"""The message format of a transfer that carries a batch of messages in Service Bus."""
SCHEDULED_ENQUEUE_TIME = "x-opt-scheduled-enqueue-time"
LOCK_TOKEN = "x-opt-lock-token"

#: Set by the broker on delivery; a client's own values (a received message sent on) are dropped.
BROKER_ANNOTATIONS = frozenset(
    {
        "x-opt-sequence-number",
        "x-opt-enqueue-sequence-number",
        "x-opt-enqueued-time",
        "x-opt-locked-until",
        "x-opt-message-state",
        "x-opt-deadletter-source",
        LOCK_TOKEN,
    }
)


@dataclass(frozen=True, slots=True)
class Message:
    """One AMQP message, cut into sections."""

    body: bytes
    """Encoded body sections and footer."""
    properties: bytes = b""
    """Encoded properties section, empty when absent."""
    application_properties: Mapping[bytes, bytes] = field(default_factory=dict)
    """Encoded keys and values, in their order."""
    annotations: Mapping[str, bytes] = field(default_factory=dict)
    """Encoded values of the sender's message annotations, without BROKER_ANNOTATIONS."""
    delivery_annotations: Mapping[str, bytes] = field(default_factory=dict)
    """Encoded values of the sender's delivery annotations, without BROKER_ANNOTATIONS."""
    durable: bool = False
    priority: bytes = codec.NULL
    """Encoded priority."""
    time_to_live_s: float | None = None
    message_id: str | None = None

    @classmethod
    def decode(cls, payload: bytes) -> "Message":
        """Cut an encoded message into its parts. Raises BadRequest when it is not one."""
        try:
            return cls._decode(payload)
        except codec.MalformedError as error:
            raise BadRequest(f"The message is not valid AMQP 1.0: {error}.") from None

    @classmethod
    def _decode(cls, payload: bytes) -> "Message":
        parts: dict[int, bytes] = {}
        body = []
        for code, value in codec.sections(payload):
            if code >= codec.DATA:
                body.append(codec.section(code, value))
            elif code in parts or (body and code != codec.DELIVERY_ANNOTATIONS):
                # azure-servicebus sends delivery annotations last, and Service Bus takes them there.
                raise codec.MalformedError(f"section 0x{code:02x} is out of place")
            else:
                parts[code] = value
        header = [*codec.elements(parts.get(codec.HEADER, b"\x45")), *[codec.NULL] * 5]
        ttl_ms = codec.read(header[2])
        properties = parts.get(codec.PROPERTIES, b"")
        message_id = codec.read((codec.elements(properties) or [codec.NULL])[0]) if properties else None
        return cls(
            body=b"".join(body),
            properties=codec.section(codec.PROPERTIES, properties) if properties else b"",
            application_properties=_pairs(parts.get(codec.APPLICATION_PROPERTIES)),
            annotations=_annotations(parts.get(codec.MESSAGE_ANNOTATIONS)),
            delivery_annotations=_annotations(parts.get(codec.DELIVERY_ANNOTATIONS)),
            durable=codec.read(header[0]) is True,
            priority=header[1],
            time_to_live_s=ttl_ms / 1000 if isinstance(ttl_ms, int) and ttl_ms else None,
            message_id=None if message_id is None else str(message_id),
        )

    @property
    def scheduled_for(self) -> float | None:
        """When the sender wants the message to appear, in seconds since the epoch, or None for at once."""
        raw = self.annotations.get(SCHEDULED_ENQUEUE_TIME)
        value = codec.read(raw) if raw else None
        return value / 1000 if isinstance(value, int) else None

    def with_properties(self, changes: Mapping[str, bytes]) -> "Message":
        """Return the message with application properties (names to encoded values) added or replaced."""
        if not changes:
            return self
        added = {codec.string(name): value for name, value in changes.items()}
        return replace(self, application_properties={**self.application_properties, **added})

    def encode(
        self,
        *,
        delivery_count: int = 0,
        annotations: Mapping[str, bytes] | None = None,
        delivery_annotations: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """Encode the message with the broker's header and annotations (names to encoded values) added.

        Without arguments, the inverse of `decode` up to the width of the header's and maps' size fields.
        """
        ttl = codec.NULL if self.time_to_live_s is None else codec.uint(min(int(self.time_to_live_s * 1000), 2**32 - 1))
        durable = b"\x41" if self.durable else b"\x42"
        header = [durable, self.priority, ttl, b"\x42", codec.uint(delivery_count)]
        encoded = codec.section(codec.HEADER, codec.list_of(header))
        for code, values in (
            (codec.DELIVERY_ANNOTATIONS, {**self.delivery_annotations, **(delivery_annotations or {})}),
            (codec.MESSAGE_ANNOTATIONS, {**self.annotations, **(annotations or {})}),
        ):
            if values:
                pairs = {codec.symbol(name): value for name, value in values.items()}
                encoded += codec.section(code, codec.map_of(pairs))
        encoded += self.properties
        if self.application_properties:
            encoded += codec.section(codec.APPLICATION_PROPERTIES, codec.map_of(self.application_properties))
        return encoded + self.body


def unbatch(payload: bytes) -> list[bytes]:
    """Return the encoded messages of a batch: each of its data sections holds one whole message.

    Raises BadRequest when the payload is not a batch. Whether it is meant as one is told by the transfer's message
    format, BATCH_FORMAT.
    """
    try:
        found = [_content(value) for code, value in codec.sections(payload) if code >= codec.DATA]
        if any(code > codec.DATA for code, _ in codec.sections(payload)):
            raise codec.MalformedError("a batch has data sections only")
    except codec.MalformedError as error:
        raise BadRequest(f"The batch is not valid AMQP 1.0: {error}.") from None
    return found


def _content(encoded: bytes) -> bytes:
    content = encoded[1 + (1 if encoded[0] == 0xA0 else 4) :] if encoded[0] in (0xA0, 0xB0) else None
    if content is None:
        raise codec.MalformedError(f"binary is needed here, not type 0x{encoded[0]:02x}")
    return content


def _pairs(encoded_map: bytes | None) -> dict[bytes, bytes]:
    if encoded_map is None or encoded_map == codec.NULL:
        return {}
    raw = codec.elements(encoded_map)
    return dict(zip(raw[::2], raw[1::2], strict=True))


def _annotations(encoded_map: bytes | None) -> dict[str, bytes]:
    found = {str(codec.read(key)): value for key, value in _pairs(encoded_map).items()}
    return {name: value for name, value in found.items() if name not in BROKER_ANNOTATIONS}
