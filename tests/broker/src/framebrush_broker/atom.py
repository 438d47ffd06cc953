"""The Atom documents of the Service Bus admin API: queue descriptions, read and written."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

from framebrush_broker.entry import Counts
from framebrush_broker.errors import BadRequest, NotSupported
from framebrush_broker.namespace import Declared
from framebrush_broker.options import QueueOptions

ATOM = "http://www.w3.org/2005/Atom"
SERVICE_BUS = "http://schemas.microsoft.com/netservices/2010/10/servicebus/connect"
COUNTS = "http://schemas.microsoft.com/netservices/2011/06/servicebus"

#: .NET's TimeSpan.MaxValue, with which Service Bus says "never".
FOREVER = "P10675199DT2H48M5.4775807S"
_FOREVER_S = 10675199 * 86400
_NUMBER = r"(\d+(?:\.\d+)?)"
_DURATION = re.compile(f"P(?:{_NUMBER}D)?(?:T(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?")
_UNSUPPORTED = ("RequiresSession", "EnablePartitioning", "ForwardTo", "ForwardDeadLetteredMessagesTo")


def format_duration(seconds: float | None) -> str:
    """Write an ISO 8601 duration; None is FOREVER."""
    return FOREVER if seconds is None else f"PT{seconds:g}S"


def parse_duration(text: str) -> float | None:
    """Read an ISO 8601 duration in seconds; FOREVER gives None. Raises BadRequest."""
    match = _DURATION.fullmatch(text)
    if not match or not any(match.groups()):
        raise BadRequest(f"{text!r} is no ISO 8601 duration such as PT1M30S.")
    seconds = sum(float(number or 0) * unit for number, unit in zip(match.groups(), (86400, 3600, 60, 1), strict=True))
    return None if seconds >= _FOREVER_S else seconds


def parse_description(document: bytes) -> QueueOptions:
    """Read the options in a create or update request. Raises BadRequest, NotSupported."""
    try:
        root = ET.fromstring(document)
    except ET.ParseError as error:
        raise BadRequest(f"The request is not XML: {error}.") from None
    description = root.find(f".//{{{SERVICE_BUS}}}QueueDescription")
    if description is None:
        raise NotSupported("This broker has queues only: send a QueueDescription.")
    values = {child.tag.rpartition("}")[2]: (child.text or "").strip() for child in description}
    for name in _UNSUPPORTED:
        if values.get(name, "false").lower() not in ("", "false"):
            raise NotSupported(f"This broker has no {name}.")
    found: dict[str, Any] = {}
    for name, option in (
        ("LockDuration", "lock_duration_s"),
        ("DefaultMessageTimeToLive", "default_time_to_live_s"),
        ("DuplicateDetectionHistoryTimeWindow", "duplicate_detection_window_s"),
    ):
        if name in values:
            found[option] = parse_duration(values[name])
    for name, option in (("MaxDeliveryCount", "max_delivery_count"), ("MaxSizeInMegabytes", "max_size_mb")):
        if name in values:
            found[option] = _integer(name, values[name])
    found["dead_lettering_on_message_expiration"] = values.get("DeadLetteringOnMessageExpiration", "").lower() == "true"
    if values.get("RequiresDuplicateDetection", "").lower() == "true":
        found.setdefault("duplicate_detection_window_s", 600)
    else:
        found.pop("duplicate_detection_window_s", None)
    return QueueOptions(**found)


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f"{name} is {text!r}; it must be a whole number.") from None


def queue_entry(declared: Declared, counts: Counts, dead_letters: int, base: str, *, count_locked: bool) -> ET.Element:
    """Describe one queue; `base` is the URL of the namespace."""
    queue = declared.queue
    options = queue.options
    entry = ET.Element(f"{{{ATOM}}}entry")
    _atom_head(entry, f"{base}/{queue.name}", queue.name, declared.updated_at)
    _child(entry, ATOM, "published", _time(declared.created_at))
    content = _child(entry, ATOM, "content")
    content.set("type", "application/xml")
    description = _child(content, SERVICE_BUS, "QueueDescription")
    for name, value in {
        "LockDuration": format_duration(options.lock_duration_s),
        "MaxSizeInMegabytes": options.max_size_mb,
        "RequiresDuplicateDetection": options.duplicate_detection_window_s is not None,
        "RequiresSession": False,
        "DefaultMessageTimeToLive": format_duration(options.default_time_to_live_s),
        "DeadLetteringOnMessageExpiration": options.dead_lettering_on_message_expiration,
        "DuplicateDetectionHistoryTimeWindow": format_duration(options.duplicate_detection_window_s or 600),
        "MaxDeliveryCount": options.max_delivery_count,
        "EnableBatchedOperations": True,
        "SizeInBytes": queue.size + queue.dead_letters.size,
        "MessageCount": sum(counts) + dead_letters,
        "IsAnonymousAccessible": False,
        "Status": "Active",
        "CreatedAt": _time(declared.created_at),
        "UpdatedAt": _time(declared.updated_at),
        "AccessedAt": _time(declared.accessed_at),
        "SupportOrdering": True,
    }.items():
        _child(description, SERVICE_BUS, name, _text(value))
    details = _child(description, SERVICE_BUS, "CountDetails")
    for name, value in {
        "ActiveMessageCount": counts.active + (counts.locked if count_locked else 0),
        "DeadLetterMessageCount": dead_letters,
        "ScheduledMessageCount": counts.scheduled,
        "TransferMessageCount": 0,
        "TransferDeadLetterMessageCount": 0,
    }.items():
        _child(details, COUNTS, name, str(value))
    for name, value in {
        "AutoDeleteOnIdle": FOREVER,
        "EnablePartitioning": False,
        "EntityAvailabilityStatus": "Available",
        "EnableExpress": False,
    }.items():
        _child(description, SERVICE_BUS, name, _text(value))
    return entry


def namespace_entry(name: str, base: str, created_at: float) -> ET.Element:
    """Describe the namespace itself."""
    entry = ET.Element(f"{{{ATOM}}}entry")
    _atom_head(entry, f"{base}/$namespaceinfo", name, created_at)
    content = _child(entry, ATOM, "content")
    content.set("type", "application/xml")
    info = _child(content, SERVICE_BUS, "NamespaceInfo")
    for key, value in {
        "CreatedTime": _time(created_at),
        "MessagingSKU": "Standard",
        "ModifiedTime": _time(created_at),
        "Name": name,
        "NamespaceType": "Messaging",
    }.items():
        _child(info, SERVICE_BUS, key, value)
    return entry


def feed(entries: Iterable[ET.Element], title: str, url: str, now: float, next_url: str | None) -> ET.Element:
    """Wrap entries; `next_url` is where the next page is."""
    root = ET.Element(f"{{{ATOM}}}feed")
    _atom_head(root, url, title, now)
    for relation, href in (("self", url), ("next", next_url)):
        if href:
            ET.SubElement(root, f"{{{ATOM}}}link", rel=relation, href=href)
    root.extend(entries)
    return root


def error(status: int, detail: str) -> bytes:
    """Write the body of a refusal."""
    root = ET.Element("Error")
    ET.SubElement(root, "Code").text = str(status)
    ET.SubElement(root, "Detail").text = detail
    return ET.tostring(root)


def _atom_head(element: ET.Element, url: str, title: str, updated: float) -> None:
    _child(element, ATOM, "id", url)
    _child(element, ATOM, "title", title).set("type", "text")
    _child(element, ATOM, "updated", _time(updated))


def _child(parent: ET.Element, namespace: str, name: str, text: str | None = None) -> ET.Element:
    child = ET.SubElement(parent, f"{{{namespace}}}{name}")
    child.text = text
    return child


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
