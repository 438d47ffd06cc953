"""Converts networks between training, where they take and give -1..1, and files, where they take and give 0..255."""

from torch import Tensor

from framebrush_scorer.networks import TransformerNet


def export(net: TransformerNet) -> TransformerNet:
    """Return a copy that takes and gives 0..255, of one that takes and gives -1..1. It is exact up to rounding."""
    return rescaled(net, 1 / 127.5, -1.0)


def to_unit_range(net: TransformerNet) -> TransformerNet:
    """Return a copy that takes and gives -1..1, of a network that takes and gives 0..255. It undoes :func:`export`."""
    return rescaled(net, 127.5, 127.5)


def rescaled(net: TransformerNet, scale: float, offset: float) -> TransformerNet:
    """Return g with g(x) = (f(scale * x + offset) - offset) / scale for a network f, on the CPU in float32."""
    copied = TransformerNet(net.width, net.blocks, net.norm)
    copied.load_state_dict({key: value.cpu() for key, value in net.state_dict().items()})
    state = copied.state_dict()
    state["conv1.conv2d.bias"] += offset * state["conv1.conv2d.weight"].sum((1, 2, 3))
    state["conv1.conv2d.weight"] *= scale
    state["deconv3.conv2d.weight"] /= scale
    state["deconv3.conv2d.bias"].sub_(offset).div_(scale)
    return copied


def compress(net: TransformerNet) -> dict[str, Tensor]:
    """Return the tensors to store, by name: kernels in half precision, which nobody sees, all others as they are."""
    return {key: value.half() if value.ndim == 4 else value for key, value in net.state_dict().items()}
