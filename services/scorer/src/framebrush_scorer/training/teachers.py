"""Defines what a network learns from: a teacher makes a picture's target, and tells how far a painting is from it."""

from typing import Protocol

from torch import Tensor

from framebrush_scorer.painters import find_painter
from framebrush_scorer.training.losses import painting_loss


class Teacher(Protocol):
    """Makes targets and judges paintings. Pictures are RGB float (B, 3, H, W) in 0..1."""

    @property
    def whole(self) -> bool:
        """Whether the target of a part of a picture depends on the whole picture."""

    strokes: bool
    """Whether its paintings are laid in strokes, which is done after painting and not learned."""

    @property
    def title(self) -> str:
        """One line that tells a person what the network learns."""

    @property
    def facts(self) -> dict[str, str | int | float]:
        """The fields that the card has about the teacher."""

    def target(self, x: Tensor) -> Tensor:
        """Return what :meth:`loss` needs to know about pictures ``x``, as pictures of the same size."""

    def loss(self, y: Tensor, target: Tensor) -> Tensor:
        """Return how far paintings ``y`` are from their targets, a scalar."""


class PainterTeacher:
    """Teaches a painter by example: the target is the painter's own painting.

    Args:
        name: One of :data:`framebrush_scorer.painters.PAINTERS`.

    Raises:
        KeyError: There is no such painter.

    """

    whole, strokes = False, False

    def __init__(self, name: str) -> None:
        self.name, self.paint = name, find_painter(name)
        self.title = f"{name}, learned from the painter of that name"
        self.facts: dict[str, str | int | float] = {"painter": name}

    def target(self, x: Tensor) -> Tensor:
        """Return the painter's paintings of pictures ``x``."""
        return self.paint(x)

    def loss(self, y: Tensor, target: Tensor) -> Tensor:
        """Return the painting loss, see :func:`framebrush_scorer.training.losses.painting_loss`."""
        return painting_loss(y, target)
