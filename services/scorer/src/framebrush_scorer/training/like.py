"""A teacher that paints like one picture: the picture-driven network."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from framebrush.pictures import network_file, predict, read_square
from framebrush_scorer.networks import optimise, pad, read_picture_net
from framebrush_scorer.training.losses import painting_loss

MOST_PIXELS = 400_000_000
"""The most pixels of a file of the user's own that is learned from."""


class LikeTeacher:
    """Teaches by example how the network of Ghiasi et al. 2017 paints like a picture.

    What flickers most in its paintings is noise, which a network that learns from it does not pick up.

    Args:
        vector: The style vector of the picture, 100 numbers.
        name: The name of the picture.
        facts: What the card says of the picture.
        networks: The folder of the networks; see :func:`framebrush.pictures.network_file`.

    Raises:
        NoPictureNetwork: The weights are missing or damaged.

    """

    whole, strokes = True, True

    def __init__(
        self, vector: Sequence[float], name: str, facts: Mapping[str, str], networks: Path | None = None
    ) -> None:
        self.net = optimise(read_picture_net(network_file("transform", networks), vector))
        self.title = f"learned from the picture {name}"
        self.facts: dict[str, str | int | float] = {"like": name, **facts}

    @classmethod
    def of_file(cls, path: Path, networks: Path | None = None) -> Self:
        """Return the teacher of a file of the user's own, which is decoded in this process.

        Raises:
            PermanentError: The file is no picture, or there are no networks.
            OSError: The file cannot be read.
        """
        content = path.read_bytes()
        _, square = read_square(io.BytesIO(content), path.name, MOST_PIXELS)
        (vector,) = predict([square], networks)
        return cls(vector, path.name, {"like_sha256": hashlib.sha256(content).hexdigest()}, networks)

    def target(self, x: Tensor) -> Tensor:
        """Return the paintings of whole pictures ``x`` (B, 3, H, W) in 0..1."""
        net, (height, width) = self.net.to(x.device), x.shape[2:]
        return torch.cat([net(pad(255 * picture)) for picture in torch.split(x, 1)])[..., :height, :width] / 255

    def loss(self, y: Tensor, target: Tensor) -> Tensor:
        """Return the painting loss, see :func:`framebrush_scorer.training.losses.painting_loss`."""
        return painting_loss(y, target)
