"""A teacher that knows one picture, and sees with VGG16."""

from pathlib import Path

import cv2
import torch
from torch import Tensor

from framebrush_scorer.training.losses import gram, perceptual_loss
from framebrush_scorer.training.vgg import Features

EDGES = (64, 1024)
"""The least and, by default, the greatest length in pixels of the longer edge of a picture whose style is learned."""


class PictureTeacher:
    """Teaches the style of one picture.

    What VGG16 sees in a painting is to be as in the content, and its statistics as in the picture, by Johnson, Alahi,
    Fei-Fei 2016, "Perceptual Losses for Real-Time Style Transfer and Super-Resolution".

    Args:
        path: The picture whose style to learn.
        features: VGG16.
        device: The device to train on.
        size: The longer edge in pixels to which the picture is brought, which decides the size of the brush. By
            default the picture keeps its size, up to a limit.

    Raises:
        ValueError: The file is not a picture that OpenCV can read.

    """

    whole, strokes = False, False

    def __init__(self, path: Path, features: Features, device: torch.device, size: int | None = None) -> None:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
        if picture is None:
            raise ValueError(f"{path} is no picture that OpenCV can read")
        height, width = picture.shape[:2]
        edge = max(EDGES[0], size or min(max(height, width), EDGES[1]))
        shape = [max(8, round(v * edge / max(height, width))) for v in (width, height)]
        method = cv2.INTER_AREA if edge < max(height, width) else cv2.INTER_CUBIC
        picture = cv2.resize(picture, shape, interpolation=method)
        self.features = features.to(device)
        x = torch.from_numpy(picture).permute(2, 0, 1)[None].to(device) / 255
        self.style = {name: gram(seen) for name, seen in self.features(x).items()}
        self.title = f"learned from the picture {path.name}"
        self.facts: dict[str, str | int | float] = {"image": path.name, "image_size": edge}

    def target(self, x: Tensor) -> Tensor:
        """Return the pictures ``x`` themselves, since their content is to be kept."""
        return x

    def loss(self, y: Tensor, target: Tensor) -> Tensor:
        """Return the perceptual loss, see :func:`framebrush_scorer.training.losses.perceptual_loss`."""
        with torch.no_grad():
            content = self.features(target)["relu2_2"]
        return perceptual_loss(self.features(y), content, self.style)
