"""What a run cost."""

from dataclasses import dataclass
from typing import Protocol

from framebrush_stitcher.report.figures import Figures

OPERATIONS = 3
"""The operations of the bus for each message: it is sent, received and completed."""
MONTH = 730 * 3600.0
"""The seconds of a month, as Azure bills it."""


class Prices(Protocol):
    """The price table of the settings."""

    @property
    def price_scorer_hour(self) -> float:
        """An hour of a pod that scores."""

    @property
    def price_cpu_hour(self) -> float:
        """An hour of a pod that splits or stitches."""

    @property
    def price_storage_month(self) -> float:
        """A month of 10^9 bytes."""

    @property
    def price_writes(self) -> float:
        """10,000 writes of a blob."""

    @property
    def price_operations(self) -> float:
        """A million operations of the bus."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run cost by the price table, in its currency."""

    gpu: float
    cpu: float
    storage: float
    bus: float

    @property
    def total(self) -> float:
        """Return the sum."""
        return self.gpu + self.cpu + self.storage + self.bus


def estimate(figures: Figures, prices: Prices) -> Cost:
    """Return an estimate of the cost: of the time in which pods had work, and of the blobs until the run's end."""
    kept = sum(task.size * (figures.seconds - figures.at(task.ended)) for task in figures.tasks)
    return Cost(
        gpu=figures.pod_seconds("scored") / 3600 * prices.price_scorer_hour,
        cpu=figures.pod_seconds("planned", "split", "encoded", "joined") / 3600 * prices.price_cpu_hour,
        storage=figures.writes / 10_000 * prices.price_writes + kept / 10**9 / MONTH * prices.price_storage_month,
        bus=figures.messages * OPERATIONS / 10**6 * prices.price_operations,
    )
