"""The network of Ghiasi et al. 2017 that paints like a picture: weights from ONNX, a style vector from elsewhere.

It is a TransformerNet of width 8 with five blocks, whose first three layers are not normalised; the gains and the
offsets of the other normalisations, of which the last layer has one, too, follow from the style vector.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
import torch.nn.functional as F
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper
from torch import Tensor, nn

from framebrush.pictures import NoPictureNetwork
from framebrush_scorer.networks.transformer import STRIDE, TransformerNet

EPSILON = 1e-3
"""What is added to a variance before its root is taken."""

SHIFTS = ((0, 1), (2, 3))
"""By how many pixels, downwards and to the right, a picture is moved each time that it is painted.

The network halves the picture twice, so that its texture hangs on the place of each pixel in a block of four: it is a
grid on flat areas, and flickers where things move. The mean over two places that are far from each other has about half
of the flicker, and the strokes in which it is laid take most of the rest, see docs/styles.md."""

PLAIN = {"conv1": "contract/conv1", "conv2": "contract/conv2", "conv3": "contract/conv3"}
"""The layers without normalisation: our names, and those in the file."""

STYLED = {
    **{(f"res{k}.conv{n}", f"res{k}.in{n}"): f"residual/residual{k}/conv{n}" for k in range(1, 6) for n in (1, 2)},
    ("deconv1", "in4"): "expand/conv1/conv",
    ("deconv2", "in5"): "expand/conv2/conv",
    ("deconv3", "in6"): "expand/conv3/conv",
}
"""The layers whose normalisation follows from the style vector."""

Array = npt.NDArray[np.float32]


class PictureNet(TransformerNet):
    """Paints RGB pictures like another one: float (B, 3, H, W) in 0..255 -> the same shape and range."""

    def __init__(self) -> None:
        super().__init__(width=8, blocks=5, norm="instance")
        self.in1, self.in2, self.in3 = nn.Identity(), nn.Identity(), nn.Identity()
        self.in6 = nn.InstanceNorm2d(3, affine=True)
        for module in self.modules():
            if isinstance(module, nn.InstanceNorm2d):
                module.eps = EPSILON

    def forward(self, x: Tensor) -> Tensor:
        """Return the paintings of pictures (B, 3, H, W) in 0..255, as float32.

        They are the mean over :data:`SHIFTS`. The first layer is the same wherever the picture is moved to. The mean is
        taken before the last one, whose normalisation gives it the contrast of a single painting again.
        """
        height, width = x.shape[2:]
        seen = self.first(F.pad(x / 255, (STRIDE,) * 4, mode="reflect"))
        total = torch.zeros((), device=x.device)
        for down, right in SHIFTS:
            top, left = STRIDE - down, STRIDE - right
            moved = seen[..., top : top + height + STRIDE, left : left + width + STRIDE]
            total = total + self.between(moved)[..., down : down + height, right : right + width].float()
        return self._last((total / len(SHIFTS)).to(seen.dtype))

    def paint_once(self, x: Tensor) -> Tensor:
        """Return what the network itself makes of pictures (B, 3, H, W) in 0..255."""
        return self._last(self.between(self.first(x / 255)))

    def _last(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.in6(self.deconv3(x)).float()) * 255


def read_picture_net(path: Path, vector: Sequence[float]) -> PictureNet:
    """Return the network that paints in the style of a vector, in float32, in evaluation mode.

    Args:
        path: The ONNX file of the network, ``arbitrary_transform.onnx``.
        vector: The style vector, 100 numbers.

    Raises:
        NoPictureNetwork: The file is missing or damaged, or holds another network.
    """
    try:
        weights, biases = read_onnx(path)
        net = PictureNet()
        for name, theirs in PLAIN.items():
            fill(net.get_submodule(f"{name}.conv2d"), weights[f"transformer/{theirs}"], biases[f"transformer/{theirs}"])
        numbers = np.array(vector, np.float32)
        for (conv, norm), theirs in STYLED.items():
            fill(net.get_submodule(f"{conv}.conv2d"), weights[f"transformer/{theirs}"], None)
            for parameter, which in (("weight", "Conv_1"), ("bias", "Conv")):
                key = f"style_params/transformer/{theirs}/StyleNorm/{which}"
                values = torch.from_numpy(weights[key][:, :, 0, 0] @ numbers + biases[key])
                net.get_submodule(norm).get_parameter(parameter).data.copy_(values)
        if not all(values.isfinite().all() for values in net.parameters()):
            raise ValueError("some values are not finite")
    except (OSError, KeyError, ValueError, RuntimeError, IndexError, DecodeError) as error:
        raise NoPictureNetwork(f"{path} is no network that paints like a picture: {error!r}") from error
    return net.eval()


def read_onnx(path: Path) -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the weights and the biases of the convolutions of a quantised network in ONNX form, dequantised, by name.

    A value is (q - zero point) * scale, with a scale for each output channel or for all; see DequantizeLinear in the
    operators of ONNX.
    """
    graph = onnx.load(path).graph
    raw = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    values = {name: array for name, array in raw.items() if array.dtype == np.float32}
    for node in graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in raw:
            quantised, scale, zero = (raw[name].astype(np.float64) for name in node.input)
            axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
            shape = [-1 if each == axis else 1 for each in range(quantised.ndim)] if scale.ndim else []
            values[node.output[0]] = ((quantised - zero.reshape(shape)) * scale.reshape(shape)).astype(np.float32)
    weights, biases = {}, {}
    for node in graph.node:
        if node.op_type == "Conv":
            name = node.input[1].removesuffix("_dequant").removesuffix("/weights")
            weights[name] = values[node.input[1]]
            if len(node.input) > 2:
                biases[name] = values[node.input[2]]
    return weights, biases


def fill(conv: nn.Module, weight: Array, bias: Array | None) -> None:
    """Set the weight (outputs, inputs, height, width) and the bias (outputs,) of a convolution; no bias is zero.

    Raises:
        ValueError: A shape is another one.
    """
    zero = np.zeros(len(weight), np.float32)
    for name, value in (("weight", weight), ("bias", zero if bias is None else bias)):
        parameter = conv.get_parameter(name)
        if tuple(parameter.shape) != value.shape:
            raise ValueError(f"expected values {tuple(parameter.shape)}, got {value.shape}")
        parameter.data.copy_(torch.from_numpy(value.copy()))
