"""Arranges a network for a GPU, where not the products but the passes over memory cost the time.

A convolution takes its bias and its ReLU with it, and padding and upsampling move sixteen bytes at a time: torch's own
reflection padding leaves channels_last, and moves one value at a time, which cost more than all convolutions together.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from framebrush_scorer.networks.inference import BLOCK, BlockConv, UpsampledConv
from framebrush_scorer.networks.transformer import ResidualBlock, TransformerNet

WIDE = torch.complex128
"""A type of sixteen bytes, as which values that are only moved are seen."""


class FusedNet(nn.Module):
    """The function of an optimised network with batch normalisation: (B, 3, H, W) -> the same shape.

    Args:
        net: What :func:`framebrush_scorer.networks.optimise` returned. Its weights are shared.

    """

    def __init__(self, net: TransformerNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """Return the paintings of pictures in 0..255; their own values may lie outside of 0..255."""
        net = self.net
        for layer in (net.conv1, net.conv2, net.conv3):
            x = conv_relu(reflect(x, layer.padding[0]), layer.conv2d)
        for k in range(1, net.blocks + 1):
            block: ResidualBlock = getattr(net, f"res{k}")
            y = conv_relu(reflect(x, 1), block.conv1.conv2d)
            x = block.conv2.conv2d(reflect(y, 1)).add_(x)
        for up in (net.deconv1, net.deconv2):
            assert isinstance(up, UpsampledConv)  # noqa: S101 - so optimise() makes them
            x = upsampled(x, up)
        last = net.deconv3
        assert isinstance(last, BlockConv)  # noqa: S101
        y = F.conv2d(reflect(x, last.padding[0]), last.weight, last.bias, stride=BLOCK)
        return F.pixel_shuffle(y, BLOCK)


def conv_relu(x: Tensor, conv: nn.Conv2d | UpsampledConv) -> Tensor:
    """Return the ReLU of a convolution of padded pictures, in one kernel where cuDNN has one."""
    stride = conv.stride if isinstance(conv, nn.Conv2d) else (1, 1)
    if x.device.type == "cuda":
        return torch.cudnn_convolution_relu(x, conv.weight, conv.bias, stride, (0, 0), (1, 1), 1)
    return F.relu_(F.conv2d(x, conv.weight, conv.bias, stride))


def upsampled(x: Tensor, conv: UpsampledConv) -> Tensor:
    """Return the ReLU of an upsampled convolution, (B, Cin, H, W) -> (B, Cout, 2H, 2W); see :class:`UpsampledConv`."""
    height, width = x.shape[2:]
    y = wide(conv_relu(reflect(x, 1, "replicate"), conv))
    channels = y.shape[3] // 4
    out = y.new_empty(len(y), 2 * height, 2 * width, channels)
    for phase in range(4):
        row, column = divmod(phase, 2)
        part = y[:, row : row + height, column : column + width, phase * channels : (phase + 1) * channels]
        out[:, row::2, column::2] = part
    return narrow(out, x.dtype)


def reflect(x: Tensor, edge: int, mode: str = "reflect") -> Tensor:
    """Return pictures (B, C, H, W) padded by some pixels on each side."""
    if x.shape[1] * x.itemsize % WIDE.itemsize:
        return F.pad(x, (edge,) * 4, mode=mode).contiguous(memory_format=torch.channels_last)
    rows, columns = (places(size, edge, mode, x.device) for size in x.shape[2:])
    return narrow(wide(x)[:, rows[:, None], columns], x.dtype)


@lru_cache(maxsize=64)
def places(size: int, edge: int, mode: str, device: torch.device) -> Tensor:
    """Return which of so many pixels stand in a padded row."""
    place = torch.arange(-edge, size + edge)
    if mode == "reflect":
        place = (size - 1) - ((size - 1) - place.abs()).abs()
    return place.clamp(0, size - 1).to(device)


def wide(x: Tensor) -> Tensor:
    """Return pictures (B, C, H, W) as (B, H, W, C'), where a value is sixteen bytes of them."""
    return x.permute(0, 2, 3, 1).contiguous().view(WIDE)


def narrow(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return what :func:`wide` was given."""
    return x.view(dtype).permute(0, 3, 1, 2)
