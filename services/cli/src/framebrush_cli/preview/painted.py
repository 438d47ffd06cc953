"""Frames as a style paints them."""

from dataclasses import dataclass

from framebrush_cli.preview.frames import RgbImage


@dataclass(frozen=True, slots=True)
class Painted:
    """What one style makes of the stills."""

    style: str
    images: list[RgbImage]
    """A picture for each still, of its size."""
    seconds: float
    """The time of the model per frame on this computer. The first frame, with which a model warms up, does not count
    where there are others."""
