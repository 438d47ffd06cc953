"""Makes a trained network fast: it then computes the same function by other operations."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from framebrush_scorer.networks.transformer import ConvLayer, ResidualBlock, TransformerNet, UpsampleConvLayer

BLOCK = 2
"""The edge in pixels of the blocks that :class:`BlockConv` makes at a time. It divides ``STRIDE``."""


class SampleNorm(nn.Module):
    """Instance normalisation of *one* picture by way of batch normalisation: the numbers are the same.

    It keeps the memory format channels_last. ``nn.InstanceNorm2d`` makes its input contiguous first (PyTorch issue
    72341), which costs more than the normalisation itself.
    """

    def __init__(self, source: nn.InstanceNorm2d) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = source.weight, source.bias, source.eps

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x`` (1, C, H, W) with each channel normalised.

        Raises:
            ValueError: There is more than one picture.
        """
        if len(x) != 1:
            raise ValueError(f"instance normalisation takes one picture at a time here, got {len(x)}")
        return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=self.eps)


class UpsampledConv(nn.Module):
    """The function of :class:`UpsampleConvLayer` with a 3x3 kernel, computed at the low resolution.

    A pixel of each of the four output phases sees 2x2 low-resolution pixels, so its kernel is the 3x3 kernel with the
    taps that fall on the same pixel summed. One 2x2 convolution makes all phases, each to be read one pixel further on;
    reflection at the high resolution is replication at the low one.
    """

    def __init__(self, source: UpsampleConvLayer) -> None:
        super().__init__()
        conv = source.conv2d
        taps = torch.tensor([[[1.0, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]])  # phase, low, high
        kernel = torch.einsum("ocab,pia,qjb->pqocij", conv.weight.detach().double(), taps.double(), taps.double())
        self.weight = nn.Parameter(kernel.flatten(0, 2).to(conv.weight.dtype))
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach().repeat(4))

    def forward(self, x: Tensor) -> Tensor:
        """Return the upsampled convolution of ``x``: (B, Cin, H, W) -> (B, Cout, 2H, 2W)."""
        height, width = x.shape[2:]
        y = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), self.weight, self.bias)
        shape = (len(y), y.shape[1] // 4, 2 * height, 2 * width)
        out = torch.empty(shape, dtype=y.dtype, device=y.device, memory_format=torch.channels_last)
        for phase, part in enumerate(y.chunk(4, dim=1)):
            row, column = divmod(phase, 2)
            out[:, :, row::2, column::2] = part[:, :, row : row + height, column : column + width]
        return out


class BlockConv(nn.Module):
    """The function of :class:`ConvLayer`, computed for blocks of pixels, which pays for few outputs, here three.

    Libraries compute as many outputs at once as vectors are wide, and throw away what is too many. With the pixels of a
    block as further outputs, of a kernel that is larger by a block less one and moves on by a block, less is too many.
    Height and width must be multiples of :data:`BLOCK`.
    """

    def __init__(self, source: ConvLayer) -> None:
        super().__init__()
        conv, self.padding = source.conv2d, source.padding
        outputs, inputs, size, _ = conv.weight.shape
        kernel = conv.weight.new_zeros(outputs, BLOCK, BLOCK, inputs, size + BLOCK - 1, size + BLOCK - 1)
        for row in range(BLOCK):
            for column in range(BLOCK):
                kernel[:, row, column, :, row : row + size, column : column + size] = conv.weight.detach()
        self.weight = nn.Parameter(kernel.flatten(0, 2))
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach().repeat_interleave(BLOCK**2))

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution of ``x``: (B, Cin, H, W) -> (B, Cout, H, W)."""
        y = F.conv2d(F.pad(x, self.padding, mode="reflect"), self.weight, self.bias, stride=BLOCK)
        return F.pixel_shuffle(y, BLOCK)


def optimise(net: TransformerNet) -> TransformerNet:
    """Return a copy for inference that computes the same up to rounding.

    The copy has no upsampled grids and no convolution with three outputs. Batch normalisations become part of the
    convolutions before them. A network with instance normalisation takes one picture at a time afterwards.

    Args:
        net: The trained network, in any number format. It stays as it is.
    """
    net = copy.deepcopy(net).eval().requires_grad_(False)
    for module in list(net.modules()):
        if isinstance(module, TransformerNet | ResidualBlock):
            for conv, norm in module.pairs:
                layer, source = getattr(module, conv), getattr(module, norm)
                if isinstance(source, nn.BatchNorm2d):
                    layer.conv2d = fuse_conv_bn_eval(layer.conv2d, source)
                    setattr(module, norm, nn.Identity())
        for name, child in list(module.named_children()):
            if isinstance(child, nn.InstanceNorm2d):
                setattr(module, name, SampleNorm(child))
    for name, fast in (("deconv1", UpsampledConv), ("deconv2", UpsampledConv), ("deconv3", BlockConv)):
        setattr(net, name, fast(getattr(net, name)))
    return net.to(memory_format=torch.channels_last)
