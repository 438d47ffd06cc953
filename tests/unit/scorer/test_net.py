import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from framebrush_scorer.networks import STRIDE, TransformerNet, optimise, pad
from framebrush_scorer.networks.inference import SampleNorm
from framebrush_scorer.networks.transformer import SMALLEST


def reference(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """The network of pytorch/examples fast_neural_style written out plainly, for any width and number of blocks."""

    def conv(name: str, x: Tensor, stride: int = 1) -> Tensor:
        weight = state[f"{name}.conv2d.weight"]
        return F.conv2d(F.pad(x, [weight.shape[-1] // 2] * 4, "reflect"), weight, state[f"{name}.conv2d.bias"], stride)

    def up(name: str, x: Tensor) -> Tensor:
        return conv(name, x.repeat_interleave(2, 2).repeat_interleave(2, 3))

    def norm(name: str, x: Tensor) -> Tensor:
        if f"{name}.weight" in state:  # instance normalisation
            mean, var = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, unbiased=False)
        else:
            name = name.replace("in", "bn")
            mean, var = (state[f"{name}.running_{which}"].view(1, -1, 1, 1) for which in ("mean", "var"))
        weight, bias = (state[f"{name}.{which}"].view(1, -1, 1, 1) for which in ("weight", "bias"))
        return (x - mean) / (var + 1e-5).sqrt() * weight + bias

    y = norm("in1", conv("conv1", x)).relu()
    y = norm("in2", conv("conv2", y, 2)).relu()
    y = norm("in3", conv("conv3", y, 2)).relu()
    k = 1
    while f"res{k}.conv1.conv2d.weight" in state:
        inner = norm(f"res{k}.in1", conv(f"res{k}.conv1", y)).relu()
        y = y + norm(f"res{k}.in2", conv(f"res{k}.conv2", inner))
        k += 1
    y = norm("in4", up("deconv1", y)).relu()
    y = norm("in5", up("deconv2", y)).relu()
    return conv("deconv3", y)


@pytest.mark.parametrize(
    ("width", "blocks", "norm", "size"),
    [(32, 5, "instance", (24, 16)), (16, 5, "batch", (24, 40)), (4, 0, "batch", (8, 8)), (5, 2, "instance", (8, 12))],
)
def test_plain_and_optimised_agree_with_the_reference(randomised, width, blocks, norm, size):
    net = randomised(width, blocks, norm)
    x = 255 * torch.rand(1, 3, *size)
    with torch.no_grad():
        expected = reference(net.state_dict(), x)
        assert expected.std() > 1
        torch.testing.assert_close(net(x), expected, rtol=1e-4, atol=1e-2)
        torch.testing.assert_close(optimise(net)(x), expected, rtol=1e-4, atol=1e-2)


def test_parameters_are_named_as_in_pytorch_examples():
    names = {name for name, _ in TransformerNet().named_parameters()}
    layers = {"conv1", "conv2", "conv3", "deconv1", "deconv2", "deconv3"}
    layers |= {f"res{k}.conv{j}" for k in range(1, 6) for j in (1, 2)}
    norms = {f"in{k}" for k in range(1, 6)} | {f"res{k}.in{j}" for k in range(1, 6) for j in (1, 2)}
    expected = {f"{layer}.conv2d" for layer in layers} | norms
    assert names == {f"{name}.{kind}" for name in expected for kind in ("weight", "bias")}


def test_default_size_is_that_of_the_paper():
    assert sum(p.numel() for p in TransformerNet().parameters()) == 1_679_235


def test_optimised_batch_net_has_no_norms_and_leaves_the_original_alone(randomised):
    net = randomised(4, 1, "batch")
    before = {key: value.clone() for key, value in net.state_dict().items()}
    fast = optimise(net)
    assert not [m for m in fast.modules() if isinstance(m, nn.BatchNorm2d)]
    assert net.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_optimised_output_stays_channels_last(randomised):
    x = torch.rand(1, 3, 16, 16).to(memory_format=torch.channels_last)
    for norm in ("instance", "batch"):
        y = optimise(randomised(8, 1, norm))(x)
        assert y.is_contiguous(memory_format=torch.channels_last)


def test_sample_norm_refuses_to_mix_pictures():
    with pytest.raises(ValueError, match="one picture at a time"):
        SampleNorm(nn.InstanceNorm2d(3, affine=True))(torch.rand(2, 3, 4, 4))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (3, 5), (8, 8), (9, 12), (41, 2)])
def test_pad_extends_right_and_below_to_what_the_net_takes(height, width):
    x = torch.rand(2, 3, height, width)
    y = pad(x)
    assert all(size % STRIDE == 0 and size >= SMALLEST for size in y.shape[2:])
    assert all(b - max(a, SMALLEST) < STRIDE for a, b in zip(x.shape[2:], y.shape[2:], strict=True))
    assert torch.equal(y[..., :height, :width], x)


def test_pad_mirrors_where_it_can():
    x = torch.arange(10.0).view(1, 1, 1, 10)
    assert pad(x)[0, 0, 0].tolist() == [*range(10), 8, 7]
