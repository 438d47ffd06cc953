import numpy as np
import pytest
import torch

from framebrush_scorer.painters import PAINTERS, find_painter
from framebrush_scorer.painters.filters import contours, luma_bt601, ramp
from framebrush_scorer.painters.lines import directions, smear
from framebrush_scorer.painters.mosaic import average, cells
from framebrush_scorer.painters.strokes import lay_strokes
from framebrush_scorer.training import generate


@pytest.fixture(scope="module")
def scene():
    """A picture (1, 3, 200, 200) in 0..1 of many shapes."""
    return torch.from_numpy(generate(np.random.default_rng(3), 200)).permute(2, 0, 1)[None]


@pytest.mark.parametrize("name", sorted(PAINTERS))
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (40, 56)])
def test_painters_take_any_size_and_give_colours(name, size):
    x = torch.rand(2, 3, *size)
    y = find_painter(name)(x)
    assert y.shape == x.shape
    assert y.isfinite().all()
    assert 0 <= y.min() <= y.max() <= 1
    torch.testing.assert_close(find_painter(name)(x[1:]), y[1:], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", sorted(set(PAINTERS) - {"mosaic", "vangogh", "woodcut"}))
def test_painters_smooth_noise_and_keep_edges(name):
    x = torch.full((1, 3, 64, 64), 0.3)
    x[..., 32:] = 0.9
    y = find_painter(name)(x + 0.03 * torch.randn_like(x))
    assert y[..., 12:20, 12:20].std((2, 3)).max() < 0.02
    assert (y[..., 48].mean() - y[..., 16].mean()) > 0.3


@pytest.mark.parametrize("name", sorted(PAINTERS))
def test_paintings_move_with_the_scene(scene, name):
    """No brush stroke, line or cell depends on the place in the picture."""
    whole, part = find_painter(name)(scene), find_painter(name)(scene[..., 5:, 3:])
    difference = (whole[..., 5:, 3:] - part)[..., 60:-60, 60:-60].abs()
    contrast = whole[..., 60:-60, 60:-60].std()
    assert contrast > 0.05
    # Cells are found one after the other, from wherever the picture begins: few of them may differ.
    assert difference.mean() < (0.2 if name == "mosaic" else 0.01) * contrast


@pytest.mark.parametrize("angle", [0, 30, 90, 150])
def test_directions_are_those_of_stripes(angle):
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    turn = np.deg2rad(angle)
    stripes = torch.sin(0.5 * (-np.sin(turn) * x + np.cos(turn) * y))[None, None]
    found = directions(stripes, 3.0)[0, :, 20:44, 20:44]
    degrees = torch.rad2deg(torch.atan2(found[1], found[0]) / 2)
    off = (degrees - angle + 90) % 180 - 90
    assert off.abs().max() < 3


def test_smearing_along_stripes_keeps_them_and_removes_noise():
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    stripes = torch.sin(0.4 * (x + y))[None, None]
    along = directions(stripes, 3.0)
    noisy = stripes + 0.3 * torch.randn_like(stripes)
    inner = (..., slice(16, -16), slice(16, -16))
    assert (smear(stripes, along, stripes, 10) - stripes)[inner].abs().max() < 0.1
    assert (smear(noisy, along, stripes, 10) - stripes)[inner].std() < 0.1


def test_strokes_take_the_texture_of_the_pixel_grid_and_keep_the_shapes():
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    stripes = (0.5 + 0.3 * torch.sin(0.4 * x + 0.15 * y)).expand(1, 3, -1, -1)
    grid = 0.1 * ((x % 4 < 2) != (y % 4 < 2)).float() - 0.05
    inner = (..., slice(16, -16), slice(16, -16))
    plain, textured = lay_strokes(stripes, stripes)[inner], lay_strokes(stripes + grid, stripes)[inner]
    assert (textured - plain).std() < 0.2 * grid.std()
    assert torch.corrcoef(torch.stack([plain.flatten(), stripes[inner].flatten()]))[0, 1] > 0.95


@pytest.mark.parametrize("radius", [2.0, 3.0, 5.0])
def test_strokes_do_not_paint_over_small_shapes(radius):
    """The eye of a small face is a dark spot on skin, beside the long edge of the face."""
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    eye = torch.sigmoid(3 * ((x - 40).hypot(y - 48) - radius))
    face = ((0.25 + 0.35 * eye) * (0.4 + 0.6 * torch.sigmoid(x - 0.1 * y - 55)) + 0.1).expand(1, 3, -1, -1)
    painting = lay_strokes(face, face)
    skin, pupil = (((y - 30).abs() < 2) & ((x - 40).abs() < 2)), (x - 40).hypot(y - 48) < 0.8 * radius
    before, after = ((each[0, 0][skin].mean() - each[0, 0][pupil].mean()).item() for each in (face, painting))
    assert after > 0.9 * before


def test_where_the_picture_is_flat_there_are_no_strokes():
    flat = torch.full((1, 3, 40, 50), 0.4)
    torch.testing.assert_close(lay_strokes(flat, flat), flat, atol=1e-4, rtol=0)


def test_cells_do_not_cross_strong_contours_and_have_one_colour():
    x = torch.full((1, 3, 80, 80), 0.2)
    x[..., 40:] = 0.8
    x = (x + 0.02 * torch.rand_like(x)).clamp(0, 1)
    labels = cells(x)
    left, right = set(labels[:, :38].unique().tolist()), set(labels[:, 42:].unique().tolist())
    assert left
    assert left.isdisjoint(right)
    flat = average(x, labels)
    assert len(flat[0].flatten(1).unique(dim=1).T) <= len(left | right)
    torch.testing.assert_close(flat.mean(), x.mean(), rtol=1e-3, atol=1e-3)


def test_ramp_uses_the_ink_of_each_tone():
    plane = torch.tensor([0.1, 0.5, 0.9]).view(1, 1, 1, 3)
    y = ramp(plane, [(-1, "ff0000"), (0.3, "00ff00"), (0.7, "0000ff")], sharpness=100)
    torch.testing.assert_close(y[0, :, 0], torch.eye(3), rtol=0, atol=1e-4)


def test_contours_are_dark_on_the_dark_side_only():
    plane = torch.full((1, 1, 40, 40), 0.2)
    plane[..., 20:] = 0.9
    line = contours(plane, 1.2, 2.0, 0.004, 70)
    assert line[..., 18].max() < 0.2
    assert line[..., 22:].min() > 0.9
    assert line[..., :10].min() > 0.5


def test_luma_of_grey_is_grey():
    torch.testing.assert_close(luma_bt601(torch.full((1, 3, 2, 2), 0.4)), torch.full((1, 1, 2, 2), 0.4))
