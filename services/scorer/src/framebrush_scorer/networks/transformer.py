"""The image transformation network of Johnson et al. 2016, "Perceptual Losses for Real-Time Style Transfer".

Layout and parameter names are those of ``TransformerNet`` in pytorch/examples ``fast_neural_style``, with the width,
the number of residual blocks and the kind of normalisation as parameters.
"""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

Norm = Literal["instance", "batch"]

STRIDE = 4
"""Height and width of what the network is given must be multiples of this: it halves the picture twice."""

SMALLEST = 8
"""The smallest height and width that the network takes: reflection needs two pixels at a quarter of the resolution."""


class ConvLayer(nn.Module):
    """Convolution with reflection padding: (B, Cin, H, W) -> (B, Cout, H / stride, W / stride)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.padding = (kernel // 2,) * 4
        self.conv2d = nn.Conv2d(inputs, outputs, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of ``x``, extended by reflection: the size is divided by the stride."""
        y: Tensor = self.conv2d(F.pad(x, self.padding, mode="reflect"))
        return y


class UpsampleConvLayer(ConvLayer):
    """Nearest-neighbour upsampling by two, then a convolution: (B, Cin, H, W) -> (B, Cout, 2H, 2W)."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of ``x`` at twice its height and width."""
        return super().forward(F.interpolate(x, scale_factor=2, mode="nearest"))


class ResidualBlock(nn.Module):
    """Two normalised convolutions beside a shortcut: (B, C, H, W) -> (B, C, H, W). No activation follows the sum."""

    def __init__(self, channels: int, norm: Norm) -> None:
        super().__init__()
        self.conv1 = ConvLayer(channels, channels, 3)
        self.conv2 = ConvLayer(channels, channels, 3)
        self.pairs = add_norms(self, norm, [("conv1", channels), ("conv2", channels)])

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` plus its residual."""
        (conv1, norm1), (conv2, norm2) = ((getattr(self, conv), getattr(self, norm)) for conv, norm in self.pairs)
        y: Tensor = norm2(conv2(F.relu_(norm1(conv1(x)))))
        return y.add_(x)


class TransformerNet(nn.Module):
    """Paints RGB pictures: float (B, 3, H, W) in 0..255 -> the same shape. The caller clamps the output to 0..255.

    H and W must be multiples of :data:`STRIDE`, at least :data:`SMALLEST`. ``width=32, blocks=5, norm="instance"`` is
    the network of pytorch/examples, whose checkpoints load unchanged. With ``norm="batch"`` the normalisations are
    named ``bn1``.. where pytorch/examples has ``in1``..
    """

    def __init__(self, width: int = 32, blocks: int = 5, norm: Norm = "instance") -> None:
        super().__init__()
        self.width, self.blocks, self.norm = width, blocks, norm
        self.conv1 = ConvLayer(3, width, 9)
        self.conv2 = ConvLayer(width, 2 * width, 3, stride=2)
        self.conv3 = ConvLayer(2 * width, 4 * width, 3, stride=2)
        for k in range(1, blocks + 1):
            self.add_module(f"res{k}", ResidualBlock(4 * width, norm))
        self.deconv1 = UpsampleConvLayer(4 * width, 2 * width, 3)
        self.deconv2 = UpsampleConvLayer(2 * width, width, 3)
        self.deconv3 = ConvLayer(width, 3, 9)
        outputs = [("conv1", 1), ("conv2", 2), ("conv3", 4), ("deconv1", 2), ("deconv2", 1)]
        self.pairs = add_norms(self, norm, [(name, times * width) for name, times in outputs])

    def forward(self, x: Tensor) -> Tensor:
        """Return the paintings of pictures (B, 3, H, W) in 0..255; their own values may lie outside of 0..255."""
        y: Tensor = self.deconv3(self.between(self.first(x)))
        return y

    def first(self, x: Tensor) -> Tensor:
        """Return what the first layer makes of pictures: (B, 3, H, W) -> (B, width, H, W)."""
        return self._layers(self.pairs[:1], x)

    def between(self, x: Tensor) -> Tensor:
        """Return what all layers but the first and the last make of the first one's: the shape stays."""
        x = self._layers(self.pairs[1:3], x)
        for k in range(1, self.blocks + 1):
            x = getattr(self, f"res{k}")(x)
        return self._layers(self.pairs[3:], x)

    def _layers(self, pairs: list[tuple[str, str]], x: Tensor) -> Tensor:
        for conv, norm in pairs:
            x = F.relu_(getattr(self, norm)(getattr(self, conv)(x)))
        return x


def add_norms(module: nn.Module, norm: Norm, convs: list[tuple[str, int]]) -> list[tuple[str, str]]:
    """Add a normalisation to ``module`` for each (convolution's name, channels).

    Return the pairs (convolution's name, normalisation's name), in the same order.
    """
    kind, prefix = (nn.InstanceNorm2d, "in") if norm == "instance" else (nn.BatchNorm2d, "bn")
    names = []
    for k, (conv, channels) in enumerate(convs, 1):
        module.add_module(f"{prefix}{k}", kind(channels, affine=True))
        names.append((conv, f"{prefix}{k}"))
    return names


def pad(x: Tensor) -> Tensor:
    """Return pictures (B, C, H, W) extended to the right and below to a size that the network takes.

    The margin mirrors the picture. Where the picture is smaller than the margin, its last pixels are repeated.
    """
    height, width = (max(-(-size // STRIDE) * STRIDE, SMALLEST) for size in x.shape[-2:])
    right, below = width - x.shape[-1], height - x.shape[-2]
    if right:
        x = F.pad(x, (0, right, 0, 0), mode="reflect" if right < x.shape[-1] else "replicate")
    if below:
        x = F.pad(x, (0, 0, 0, below), mode="reflect" if below < x.shape[-2] else "replicate")
    return x
