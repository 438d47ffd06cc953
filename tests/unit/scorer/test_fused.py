"""The arrangement of networks for a GPU computes what the network computes, here on the CPU."""

import pytest
import torch
import torch.nn.functional as F

from framebrush_scorer.models import SHIPPED
from framebrush_scorer.networks import FusedNet, optimise, read_network
from framebrush_scorer.networks.fused import reflect


@pytest.mark.parametrize("mode", ["reflect", "replicate"])
@pytest.mark.parametrize(("channels", "edge"), [(16, 1), (16, 4), (3, 4)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_padding_is_that_of_torch(mode: str, channels: int, edge: int, dtype: torch.dtype) -> None:
    x = torch.randn(2, channels, 6, 9).to(dtype).contiguous(memory_format=torch.channels_last)
    padded = reflect(x, edge, mode)
    assert torch.equal(padded, F.pad(x, (edge,) * 4, mode=mode))
    assert padded.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("size", [(8, 8), (40, 64)])
def test_paintings_are_those_of_the_network(size: tuple[int, int]) -> None:
    net = optimise(read_network(SHIPPED / "wave.safetensors"))
    x = 255 * torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(FusedNet(net)(x), net(x), atol=1e-3)
