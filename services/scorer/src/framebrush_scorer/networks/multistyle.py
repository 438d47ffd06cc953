"""The network of Dumoulin et al. 2017, "A Learned Representation For Artistic Style", with its 26 styles, from ONNX.

All styles share the convolutions. Each has its own gains and offsets of the instance normalisations.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper
from torch import Tensor, nn

from framebrush.pictures import NoPictureNetwork
from framebrush_scorer.networks.transformer import ConvLayer, UpsampleConvLayer

STYLES = 26
"""The number of styles that the network has."""

LAYERS = (
    *((f"contract.{k}", stride) for k, stride in enumerate((1, 2, 2))),
    *((f"res.{k}.{n}", 1) for k in range(6) for n in (0, 1)),
    *((f"expand.{k}", scale) for k, scale in enumerate((2, 2, 1))),
)
"""The layers by their names in the file, with the factor by which each changes the size."""


class MultistyleNet(nn.Module):
    """Paints RGB pictures in one of the styles: float (B, 3, H, W) in 0..255 -> the same shape and range.

    H and W must be multiples of :data:`framebrush_scorer.networks.STRIDE`.
    """

    def __init__(self, layers: list[tuple[str, ConvLayer]], norms: list[nn.InstanceNorm2d]) -> None:
        super().__init__()
        self.names = [name for name, _ in layers]
        self.convs = nn.ModuleList(conv for _, conv in layers)
        self.norms = nn.ModuleList(norms)

    def forward(self, x: Tensor) -> Tensor:
        """Return the paintings of pictures ``x``."""
        x, shortcut = x / 255, x
        for name, conv, norm in zip(self.names, self.convs, self.norms, strict=True):
            kind, *_, last = name.split(".")
            if kind == "res" and last == "0":
                shortcut = x
            x = norm(conv(x))
            if name == self.names[-1]:
                return torch.sigmoid(x) * 255
            x = x + shortcut if kind == "res" and last == "1" else F.relu(x)
        raise AssertionError("the network has a last layer")


def read_multistyle_net(path: Path, style: int) -> MultistyleNet:
    """Return the network that paints in one style, in float32, in evaluation mode.

    Args:
        path: The ONNX file of the network, ``multistyle26.onnx``.
        style: The number of the style, in 0..25.

    Raises:
        NoPictureNetwork: The file is missing or damaged, or holds another network.
        ValueError: There is no style of this number.
    """
    if not 0 <= style < STYLES:
        raise ValueError(f"there is no trained style {style}: they are 0 to {STYLES - 1}")
    try:
        graph = onnx.load(path).graph
        values = {each.name: torch.from_numpy(np.array(numpy_helper.to_array(each))) for each in graph.initializer}
        layers, norms = [], []
        for name, factor in LAYERS:
            weight = values[f"{name}.w"]
            outputs, inputs, kernel, _ = weight.shape
            if name.startswith("expand") and factor > 1:
                conv: ConvLayer = UpsampleConvLayer(inputs, outputs, kernel)
            else:
                conv = ConvLayer(inputs, outputs, kernel, factor)
            conv.conv2d.weight.data.copy_(weight)
            nn.init.zeros_(conv.conv2d.bias)  # type: ignore[arg-type]  # our convolutions have one
            norm = nn.InstanceNorm2d(outputs, affine=True)
            norm.weight.data.copy_(values[f"{name}.norm.gamma"][style])
            norm.bias.data.copy_(values[f"{name}.norm.beta"][style])
            layers.append((name, conv))
            norms.append(norm)
    except (OSError, KeyError, ValueError, RuntimeError, IndexError, DecodeError) as error:
        raise NoPictureNetwork(f"{path} is no network with {STYLES} trained styles: {error!r}") from error
    return MultistyleNet(layers, norms).eval().requires_grad_(False)
