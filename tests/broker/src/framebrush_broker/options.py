"""A queue's options, and the file that declares queues."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from framebrush_broker.errors import BadRequest

MAX_NAME_LENGTH = 260


@dataclass(frozen=True, slots=True)
class QueueOptions:
    """One queue's options. Raises BadRequest for a value that Service Bus would refuse.

    Unlike Service Bus, durations may be as short as a test needs.
    """

    lock_duration_s: float = 60
    """How long a receiver holds a message, at most 300 s."""
    max_delivery_count: int = 10
    """Failed deliveries after which a message is dead-lettered."""
    default_time_to_live_s: float | None = None
    """Upper bound of every message's time to live; None for no bound."""
    dead_lettering_on_message_expiration: bool = False
    """Whether an expired message goes to the dead-letter queue instead of away."""
    duplicate_detection_window_s: float | None = None
    """How long a MessageId is remembered; None turns duplicate detection off."""
    max_size_mb: int = 1024
    """Size of all messages above which sends are refused."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and "None" in str(field.type):
                continue
            expected = bool if field.type is bool else int if field.type is int else (int, float)
            if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
                raise BadRequest(
                    f"{field.name} is {value!r}; it must be of type {getattr(field.type, '__name__', field.type)}."
                )
            if not isinstance(value, bool) and value <= 0:
                raise BadRequest(f"{field.name} is {value!r}; it must be above 0.")
        if self.lock_duration_s > 300:
            raise BadRequest(f"lock_duration_s is {self.lock_duration_s!r}; Service Bus allows at most 300.")


def check_name(name: str) -> str:
    """Return the queue name, or raise BadRequest when it cannot be one."""
    if not name or len(name) > MAX_NAME_LENGTH or name.startswith(("/", "$")) or name.endswith("/"):
        raise BadRequest(
            f"{name!r} is no queue name: use 1 to {MAX_NAME_LENGTH} characters, no leading $ or outer slash."
        )
    if bad := sorted(set(name) & set("@?#*\\$")):
        raise BadRequest(f"{name!r} is no queue name: it contains {' '.join(bad)}.")
    return name


def parse_queues(document: object, defaults: Mapping[str, Any]) -> dict[str, QueueOptions]:
    """Read `{"queues": {NAME: {OPTION: VALUE}}}`; `defaults` hold for options that a queue does not name."""
    if not isinstance(document, dict) or set(document) != {"queues"} or not isinstance(document["queues"], dict):
        raise BadRequest('A queues file holds one table "queues" of NAME = {options}.')
    known = {field.name for field in fields(QueueOptions)}
    found = {}
    for name, options in document["queues"].items():
        if not isinstance(options, dict):
            raise BadRequest(f"Queue {name!r}: its options must be a table, not {options!r}.")
        if unknown := sorted(set(options) - known):
            raise BadRequest(f"Queue {name!r}: unknown option {unknown[0]!r}; options are {', '.join(sorted(known))}.")
        try:
            found[check_name(name)] = QueueOptions(**{**defaults, **options})
        except BadRequest as error:
            raise BadRequest(f"Queue {name!r}: {error}") from None
    return found


def read_queues(path: Path, defaults: Mapping[str, Any]) -> dict[str, QueueOptions]:
    """Read a queues file, JSON or TOML by its suffix. Raises BadRequest that names the file."""
    try:
        text = path.read_text("utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
        return parse_queues(document, defaults)
    except (OSError, ValueError, BadRequest) as error:
        raise BadRequest(f"Cannot read queues from {path}: {error}") from None
