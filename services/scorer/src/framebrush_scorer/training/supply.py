"""Supplies numbered pairs of picture and target, which are the same in every training with the same seed."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from framebrush_scorer.training.content import Content
from framebrush_scorer.training.teachers import Teacher

POOL = 1024
"""The number of pairs to choose from at any step, at most."""

AHEAD = 32
"""The number of pairs to choose from at the first step. Every step adds one, and one leaves when the pool is full."""


class Supply:
    """The pairs for the steps of a training.

    The k-th pair follows from the seed and k alone, so that a training that goes on after a kill sees what it would
    have seen. Pairs are made when they are first drawn, on the average less than one a step.

    Args:
        content: The source of pictures.
        teacher: What makes the targets.
        seed: The seed of the random numbers.
        device: The device on which the pairs are made and kept.

    """

    def __init__(self, content: Content, teacher: Teacher, seed: int, device: torch.device) -> None:
        self.content, self.teacher, self.seed, self.device = content, teacher, seed, device
        self.pair = lru_cache(maxsize=POOL)(self._make)

    def _make(self, number: int) -> Tensor:
        """Return the pair of a number as uint8 (2, 3, size, size)."""
        picture = self.content.draw(np.random.default_rng([self.seed, 0, number]))
        x = torch.from_numpy(picture).permute(2, 0, 1)[None].to(self.device)
        with torch.no_grad():
            return (torch.cat([x, self.teacher.target(x)]) * 255).round().clamp(0, 255).byte()

    def draw(self, rng: np.random.Generator, count: int, step: int) -> tuple[Tensor, Tensor]:
        """Return pictures and their targets for a step, each (count, 3, size, size) in 0..1, mirrored at random."""
        stop = step + AHEAD
        pairs = [self.pair(int(number)) for number in rng.integers(max(0, stop - POOL), stop, count)]
        pairs = [pair.flip(3) if rng.random() < 0.5 else pair for pair in pairs]
        both = torch.stack(pairs).float() / 255  # (count, 2, 3, size, size)
        return both[:, 0], both[:, 1]
