"""A teacher that paints like one picture: the picture-driven network."""

import hashlib
import io
from pathlib import Path

import torch
from torch import Tensor

from framebrush.pictures import network_file, predict, read_square
from framebrush_scorer.networks import optimise, pad, read_picture_net
from framebrush_scorer.training.losses import painting_loss

MOST_PIXELS = 400_000_000
"""The most pixels of a picture that is learned from."""


class LikeTeacher:
    """Teaches by example how the network of Ghiasi et al. 2017 paints like a picture.

    What flickers most in its paintings is noise, which a network that learns from it does not pick up.

    Args:
        path: The picture.
        networks: The folder of the networks; see :func:`framebrush.pictures.network_file`.

    Raises:
        PermanentError: The file is no picture, or there are no networks.
        OSError: The file cannot be read.

    """

    whole = True

    def __init__(self, path: Path, networks: Path | None = None) -> None:
        content = path.read_bytes()
        _, square = read_square(io.BytesIO(content), path.name, MOST_PIXELS)
        (vector,) = predict([square], networks)
        self.net = optimise(read_picture_net(network_file("transform", networks), vector))
        self.title = f"learned from the picture {path.name}"
        digest = hashlib.sha256(content).hexdigest()
        self.facts: dict[str, str | int | float] = {"like": path.name, "like_sha256": digest}

    def target(self, x: Tensor) -> Tensor:
        """Return the paintings of whole pictures ``x`` (B, 3, H, W) in 0..1."""
        net, (height, width) = self.net.to(x.device), x.shape[2:]
        return torch.cat([net(pad(255 * picture)) for picture in torch.split(x, 1)])[..., :height, :width] / 255

    def loss(self, y: Tensor, target: Tensor) -> Tensor:
        """Return the painting loss, see :func:`framebrush_scorer.training.losses.painting_loss`."""
        return painting_loss(y, target)
