"""A teacher that has a style of its own: the network with 26 trained ones."""

from pathlib import Path

import torch
from torch import Tensor

from framebrush.pictures import network_file
from framebrush_scorer.networks import pad, read_multistyle_net
from framebrush_scorer.training.losses import painting_loss


class TrainedTeacher:
    """Teaches by example how the network of Dumoulin et al. 2017 paints in one of its styles.

    The pictures that the styles were learned from are not named by those who made the network.

    Args:
        style: The number of the style, in 0..25.
        networks: The folder of the networks; see :func:`framebrush.pictures.network_file`.

    Raises:
        NoPictureNetwork: The weights are missing or damaged.
        ValueError: There is no style of this number.

    """

    whole, strokes = True, False

    def __init__(self, style: int, networks: Path | None = None) -> None:
        self.net = read_multistyle_net(network_file("multistyle", networks), style)
        self.title = f"learned from trained style {style}"
        self.facts: dict[str, str | int | float] = {"trained": style}

    def target(self, x: Tensor) -> Tensor:
        """Return the paintings of whole pictures ``x`` (B, 3, H, W) in 0..1."""
        net, (height, width) = self.net.to(x.device), x.shape[2:]
        return torch.cat([net(pad(255 * picture)) for picture in torch.split(x, 1)])[..., :height, :width] / 255

    def loss(self, y: Tensor, target: Tensor) -> Tensor:
        """Return the painting loss, see :func:`framebrush_scorer.training.losses.painting_loss`."""
        return painting_loss(y, target)
