"""Paints pictures that are too large for the memory in overlapping tiles."""

from collections.abc import Callable

from torch import Tensor

from framebrush_scorer.networks import STRIDE, TransformerNet

SMALLEST_TILE = 64
"""The least edge of a tile in pixels, without its halo, however little memory there is."""


def halo(net: TransformerNet) -> int:
    """Return how far around a pixel a network with batch normalisation looks, in pixels, rounded up to the stride.

    It has a 9x9 convolution at the full size at either end, a 3x3 convolution at each halving and at each doubling, and
    two per residual block at a quarter of the size.
    """
    reach = 4 + 1 + 2 + net.blocks * 2 * STRIDE + STRIDE + 2 + 4
    return -(-reach // STRIDE) * STRIDE


def in_tiles(paint: Callable[[Tensor], Tensor], x: Tensor, reach: int, pixels: int) -> Tensor:
    """Return ``paint(x)``, computed on tiles of at most ``pixels`` pixels, or on the smallest tiles that are possible.

    Where ``paint`` looks no farther than ``reach``, the joins are exact: every pixel is computed from what it would be
    computed from in the whole, in the same place modulo the stride.

    Args:
        paint: Turns (B, C, H, W) into (B, D, H, W) for any H, W >= 1.
        x: Pictures (B, C, H, W).
        reach: How far ``paint`` looks, in pixels: a multiple of :data:`framebrush_scorer.networks.STRIDE`.
        pixels: The most pixels of one picture that ``paint`` is given at a time.

    """
    height, width = x.shape[2:]
    if height * width <= pixels:
        return paint(x)
    edge = max(SMALLEST_TILE, int(pixels**0.5) - 2 * reach) // STRIDE * STRIDE
    whole: Tensor | None = None
    for top in range(0, height, edge):
        for left in range(0, width, edge):
            above, before = max(0, top - reach), max(0, left - reach)
            tile = paint(x[..., above : top + edge + reach, before : left + edge + reach])
            if whole is None:
                whole = tile.new_empty((*tile.shape[:2], height, width))
            inner = tile[..., top - above :, left - before :][..., :edge, :edge]
            whole[..., top : top + edge, left : left + edge] = inner
    assert whole is not None  # noqa: S101 - pictures have pixels
    return whole
