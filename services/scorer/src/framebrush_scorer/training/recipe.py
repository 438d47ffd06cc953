"""Defines how to train."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """All that decides the result of a training, beside its teacher and its content."""

    steps: int
    """The number of steps. The learning rate falls to its end over them."""
    width: int = 16
    """The number of channels of the first convolution."""
    blocks: int = 3
    """The number of residual blocks."""
    size: int = 144
    """The edge of the training pictures in pixels, a multiple of 8."""
    batch: int = 4
    """The number of pictures per step, beside the moved copies of half of them."""
    rate: float = 2e-3
    """The highest learning rate."""
    stability: float = 0.5
    """The weight of the stability loss once it is fully on."""
    frozen_from: float = 0.25
    """The part of the training after which the statistics of batch normalisation stay as they are. Those of a small
    batch are good enough to find shapes, and too uncertain to find colours."""
    natural_edge: int = 360
    """The shorter edge in pixels of the frames for which the strokes are made."""
    seed: int = 0
    """The seed of the random numbers: for the first weights, the content and every step."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: A value is out of its range, which the message names.

        """
        for name, least in {
            "steps": 1,
            "width": 1,
            "blocks": 0,
            "size": 16,
            "batch": 1,
            "natural_edge": 8,
            "seed": 0,
        }.items():
            if (value := getattr(self, name)) < least:
                raise ValueError(f"{name} is {value}, must be at least {least}")
        if self.size % 8:
            raise ValueError(f"size is {self.size}, must be a multiple of 8")
        if not (self.rate > 0 and self.stability >= 0 and 0 <= self.frozen_from <= 1):
            raise ValueError("rate must be above 0, stability at least 0, frozen_from in 0..1")
