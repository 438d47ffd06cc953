from collections.abc import Callable

import pytest
import torch
from torch import nn

from framebrush_scorer.networks import TransformerNet
from framebrush_scorer.networks.transformer import Norm

torch.set_num_threads(1)  # threads wait for each other in every layer, on a busy machine for very long


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.fixture
def randomised() -> Callable[[int, int, Norm], TransformerNet]:
    """Networks whose norms do something and whose output uses the range of colours, as trained ones do."""

    def make(width: int, blocks: int, norm: Norm) -> TransformerNet:
        net = TransformerNet(width, blocks, norm).eval()
        for module in net.modules():
            if isinstance(module, nn.InstanceNorm2d | nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.2)
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(std=0.3)
                module.running_var.uniform_(0.5, 2)
        with torch.no_grad():
            net.conv1.conv2d.weight /= 100
            net.deconv3.conv2d.weight *= 60
            net.deconv3.conv2d.bias += 127
        return net

    return make
