import time

import pytest
import torch
from torch import nn

import framebrush_scorer.precision
from framebrush_scorer.precision import MIN_PSNR, choose_device, choose_dtype, make_probe, measure, psnr

CPU = torch.device("cpu")


class Scale(nn.Module):
    """Loses everything below a 256th of ``offset`` in bfloat16."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.tensor(offset))

    def forward(self, x):
        return (x + self.offset) - self.offset


@pytest.fixture
def durations(monkeypatch):
    """Makes up how long a call in each format takes."""
    made_up: dict[torch.dtype, float] = {}
    monkeypatch.setattr(
        framebrush_scorer.precision, "measure", lambda call, _device: (call(), made_up[call.args[0].dtype])[1]
    )
    return made_up


@pytest.mark.parametrize(
    ("offset", "bfloat16", "expected"),
    [(0.0, 0.5, torch.bfloat16), (0.0, 2.0, torch.float32), (4096.0, 0.5, torch.float32), (1e39, 0.5, torch.float32)],
    ids=["faster and close", "slower", "faster but coarse", "not finite"],
)
def test_the_fastest_close_format_wins(durations, offset, bfloat16, expected):
    durations.update({torch.float32: 1.0, torch.bfloat16: bfloat16})
    net = Scale(offset)
    assert choose_dtype(net, CPU) == expected
    assert net.offset.dtype == torch.float32


def test_choosing_leaves_the_net_alone(durations):
    durations.update({torch.float32: 1.0, torch.bfloat16: 0.5})
    net = Scale(0.7)
    choose_dtype(net, CPU)
    assert torch.equal(net.offset, torch.tensor(0.7))


def test_psnr_of_known_errors():
    a = torch.full((1, 3, 4, 4), 100.0)
    assert psnr(a, a + 2.55) == pytest.approx(40)
    assert psnr(a, a) == torch.inf
    assert psnr(a + 400, a + 200) == torch.inf, "both are white once clamped"
    assert not psnr(a * torch.nan, a) >= MIN_PSNR


def test_a_moment_of_load_changes_nothing(monkeypatch):
    spent = iter([9.0, 0.5, *[1.0, 0.5] * 4])  # float32 and bfloat16 in turns
    monkeypatch.setattr(framebrush_scorer.precision, "measure", lambda _call, _device: next(spent))
    assert choose_dtype(Scale(0.0), CPU) == torch.bfloat16
    spent = iter([1.0, 0.95, 9.0, 9.0, *[1.0, 0.95] * 3])
    assert choose_dtype(Scale(0.0), CPU) == torch.float32, "too little gained"


def test_measure_gives_seconds():
    assert 0.02 <= measure(lambda: time.sleep(0.02), CPU) < 1


def test_probe_is_the_same_every_time():
    probe = make_probe()
    assert torch.equal(probe, make_probe())
    assert probe.min() >= 0
    assert probe.max() <= 255
    assert probe.std() > 20


def test_devices():
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda:x", "", "cuda:4000"])
def test_wrong_devices_are_named(name):
    with pytest.raises(ValueError, match=f"device '{name}' is not"):
        choose_device(name)
