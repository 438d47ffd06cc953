"""What Azure does to its clients on bad days, done on purpose and repeatably: off unless options turn it on."""

import logging
import random
from dataclasses import dataclass, fields

from framebrush_broker.errors import BadRequest

_log = logging.getLogger(__name__)

MAX_SKIP = 8
"""How many places later than its turn a message may be delivered."""


@dataclass(frozen=True, slots=True)
class FaultOptions:
    """Which faults happen, and how often. Raises BadRequest for a value that is out of range."""

    seed: int = 0
    """The same seed and the same requests in the same order give the same faults."""
    lost_settlements: float = 0.0
    """Share of completed messages that are delivered once more all the same, 0 to 1."""
    reordered: float = 0.0
    """Share of deliveries that are not the first message in line, 0 to 1."""
    forgotten_duplicates: float = 0.0
    """Share of sends before which a queue forgets all the MessageIds it has seen, 0 to 1."""
    busy: float = 0.0
    """Share of sends, receives and management requests that are refused as `com.microsoft:server-busy`, 0 to 1."""
    detach_idle_s: float | None = None
    """Seconds without a message after which a sender's or receiver's link is detached; None for never."""
    close_idle_s: float | None = None
    """Seconds without a message on any link after which a connection is closed; None for never."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name.endswith("_s"):
                if value is not None and value <= 0:
                    raise BadRequest(f"{field.name} is {value!r}; it must be above 0.")
            elif field.name != "seed" and not 0 <= value <= 1:
                raise BadRequest(f"{field.name} is {value!r}; it must be a share from 0 to 1.")


UNKIND = FaultOptions(
    lost_settlements=0.05,
    reordered=0.2,
    forgotten_duplicates=0.05,
    busy=0.02,
    detach_idle_s=600,
    close_idle_s=1200,
)
"""All faults, with the idle time of links that Azure has."""


class Faults:
    """Decides, one request after the other, whether a fault happens."""

    def __init__(self, options: FaultOptions) -> None:
        self.options = options
        # A generator for each kind, so that one kind's share does not move the others.
        names = [field.name for field in fields(options)]
        self._random = {name: random.Random(f"{options.seed} {name}") for name in names}

    def loses_settlement(self) -> bool:
        """Whether the next completed message is to be delivered once more."""
        return self._happens("lost_settlements")

    def forgets_duplicates(self) -> bool:
        """Whether the queue forgets its history before the next send."""
        return self._happens("forgotten_duplicates")

    def is_busy(self) -> bool:
        """Whether the next request is refused."""
        return self._happens("busy")

    def skip(self) -> int:
        """Return how many places after the first in line the next message to deliver is, 0 to MAX_SKIP."""
        return self._random["reordered"].randint(1, MAX_SKIP) if self._happens("reordered") else 0

    def _happens(self, name: str) -> bool:
        share: float = getattr(self.options, name)
        happens = share > 0 and self._random[name].random() < share
        if happens:
            _log.info("fault: %s", name)
        return happens
