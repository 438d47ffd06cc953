import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from framebrush_scorer.device import memory_limit
from framebrush_scorer.models import PainterModel, StyleModel
from framebrush_scorer.models.painted import REACH
from framebrush_scorer.models.tiles import SMALLEST_TILE, halo, in_tiles
from framebrush_scorer.networks import STRIDE, TransformerNet, optimise, pad


def make_exact(width, blocks):
    """A folded network that computes with small whole numbers: no sum is rounded, in whatever order it is taken.

    A convolution of another size may add up in another order, which would hide a wrong join, or pretend one.
    """
    net = TransformerNet(width, blocks, "batch").eval().requires_grad_(False)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.fill_(1 - module.eps)
        if isinstance(module, nn.Conv2d):
            flat = module.weight.zero_().flatten(1)
            for _ in range(2):
                places = torch.randint(flat.shape[1], (len(flat), 1))
                flat.scatter_(1, places, torch.randint(2, places.shape) * 2.0 - 1)
            module.bias.copy_(torch.randint(-20, 90, module.bias.shape))
    return net


def painter_of(net):
    fast = optimise(net)

    def paint(x):
        padded = pad(x).contiguous(memory_format=torch.channels_last)
        return fast(padded)[..., : x.shape[2], : x.shape[3]]

    return paint


SIZES = [(190, 190), (161, 317), (73, 301), (4, 300)]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("blocks", [0, 3])
def test_tiles_of_a_folded_net_are_the_whole_bit_for_bit(height, width, blocks):
    net = make_exact(8, blocks)
    paint, reach = painter_of(net), halo(net)
    x = torch.randint(256, (1, 3, height, width)).float()
    whole = paint(x)
    assert whole.std() > 1
    assert whole.abs().max() < 2**24
    assert torch.equal(whole, whole.round())
    assert torch.equal(in_tiles(paint, x, reach, pixels=1), whole)
    assert not torch.equal(in_tiles(paint, x, 4, pixels=1), whole), "a halo too small would be seen"


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_tiles_of_a_net_with_any_weights_differ_by_rounding_at_most(randomised, height, width):
    net = randomised(8, 3, "batch")
    x = 255 * torch.rand(1, 3, height, width)
    with torch.no_grad():
        whole, tiled = painter_of(net)(x), in_tiles(painter_of(net), x, halo(net), pixels=1)
    assert (tiled - whole).abs().max() < 1e-4, "of 255: three times the distance of two numbers in float32"


def test_halo_is_as_far_as_the_net_looks_and_hardly_farther(randomised):
    net = randomised(4, 2, "batch").double()
    x = torch.zeros(1, 3, 160, 160, dtype=torch.double, requires_grad=True)
    reached = []
    for row in range(80, 84):
        (gradient,) = torch.autograd.grad(net(x)[0, :, row, 80].sum(), x)
        rows = gradient.abs().sum((0, 1, 3)).nonzero()[:, 0]
        reached.append(max(row - int(rows.min()), int(rows.max()) - row))
    assert halo(net) - STRIDE < max(reached) <= halo(net)


@given(height=st.integers(1, 300), width=st.integers(1, 300), pixels=st.integers(1, 40000))
def test_tiles_cover_every_pixel_once_and_stay_small(height, width, pixels):
    x = torch.arange(height * width).view(1, 1, height, width)
    seen = []

    def paint(part):
        seen.append(part.shape[2] * part.shape[3])
        return part + 1

    assert torch.equal(in_tiles(paint, x, 8, pixels), x + 1)
    assert max(seen) <= max(pixels, (SMALLEST_TILE + 16) ** 2)
    assert len(seen) == 1 or height * width > pixels


@pytest.mark.parametrize("strokes", [False, True])
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_a_style_with_little_memory_gives_the_same_pixels(randomised, norm, strokes, monkeypatch):
    monkeypatch.setattr("framebrush_scorer.models.style.choose_dtype", lambda net, device: torch.float32)
    net = randomised(4, 1, norm)
    frames = np.random.default_rng(0).integers(0, 256, (2, 200, 410, 3), dtype=np.uint8)
    small, large = (StyleModel("s", net, "cpu", memory, strokes=strokes) for memory in (1, 10**9))
    difference = np.abs(small(frames).astype(int) - large(frames))
    assert difference.max() <= 1  # convolutions of another size add up in another order
    assert (difference > 0).mean() < 0.001


@pytest.mark.parametrize("name", ["oil", "vangogh"])
def test_a_painter_with_little_memory_gives_the_same_pixels(name):
    frames = np.random.default_rng(0).integers(0, 256, (1, 20, 400, 3), dtype=np.uint8)
    small, large = PainterModel(name, "cpu", memory=1), PainterModel(name, "cpu", memory=10**9)
    assert frames.shape[2] > 2 * REACH + SMALLEST_TILE
    difference = np.abs(small(frames).astype(int) - large(frames))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


def test_memory_limit_follows_the_container(tmp_path, monkeypatch):
    unlimited = memory_limit(torch.device("cpu"))
    (tmp_path / "memory.max").write_text("400000000\n")
    (tmp_path / "none").write_text("max\n")
    files = (str(tmp_path / "absent"), str(tmp_path / "none"), str(tmp_path / "memory.max"))
    monkeypatch.setattr("framebrush.service.memory.CGROUP_LIMITS", files)
    assert memory_limit(torch.device("cpu")) == 100_000_000 < unlimited
