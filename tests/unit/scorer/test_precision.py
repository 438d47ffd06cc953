import pytest
import torch
from torch import nn

import framebrush_scorer.networks.precision
from framebrush.errors import Unfit
from framebrush_scorer.device import choose_device
from framebrush_scorer.networks import choose_dtype
from framebrush_scorer.networks.precision import MIN_PSNR, fast_formats, likeness, make_probe

CPU = torch.device("cpu")
HALF, BRAIN, FULL = torch.float16, torch.bfloat16, torch.float32


class Scale(nn.Module):
    """Loses everything below a 256th of ``offset`` in bfloat16."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.tensor(offset))

    def forward(self, x):
        return (x + self.offset) - self.offset


@pytest.mark.parametrize(
    ("offset", "fast", "expected"),
    [
        (0.0, (HALF, BRAIN), HALF),
        (0.0, (BRAIN,), BRAIN),
        (0.0, (), FULL),
        (4096.0, (BRAIN,), FULL),
        (1e5, (HALF,), FULL),
        (1e39, (BRAIN,), FULL),
    ],
    ids=["the more exact", "the only one", "none", "coarse", "overflows", "not finite"],
)
def test_a_fast_format_that_is_close_wins(monkeypatch, offset, fast, expected):
    monkeypatch.setattr(framebrush_scorer.networks.precision, "fast_formats", lambda _device: fast)
    net = Scale(offset)
    assert choose_dtype(net, CPU) == expected
    assert net.offset.dtype == torch.float32
    assert torch.equal(net.offset, torch.tensor(offset))


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((6, 1), ()), ((7, 0), (HALF,)), ((7, 5), (HALF,)), ((8, 6), (HALF, BRAIN)), ((9, 0), (HALF, BRAIN))],
    ids=["P40", "V100", "T4", "A10", "H100"],
)
def test_formats_of_gpus(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
    assert fast_formats(torch.device("cuda")) == expected


@pytest.mark.parametrize("instructions", ["avx512_bf16", "amx_bf16", None])
def test_formats_of_cpus(monkeypatch, instructions):
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"avx2": True} | ({instructions: True} if instructions else {})
    )
    assert fast_formats(CPU) == ((BRAIN,) if instructions else ())


def test_likeness_of_known_errors():
    a = torch.full((1, 3, 4, 4), 100.0)
    assert likeness(a, a + 2.55) == pytest.approx(40)
    assert likeness(a, a) == torch.inf
    assert likeness(a + 400, a + 200) == torch.inf, "both are white once clamped"
    assert not likeness(a * torch.nan, a) >= MIN_PSNR


def test_probe_is_the_same_every_time():
    probe = make_probe()
    assert torch.equal(probe, make_probe())
    assert probe.min() >= 0
    assert probe.max() <= 255
    assert probe.std() > 20


def test_devices():
    assert choose_device("cpu") == CPU
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_auto_does_not_paint_on_the_cpu_where_a_gpu_was_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for asked in ("", "void", "none"):
        monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", asked)
        assert choose_device("auto") == CPU
    for asked in ("GPU-5a4c", "0", "all"):
        monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", asked)
        with pytest.raises(Unfit, match=f"NVIDIA_VISIBLE_DEVICES is {asked}, but CUDA finds no GPU"):
            choose_device("auto")
        assert choose_device("cpu") == CPU


@pytest.mark.parametrize("name", ["gpu", "cpu:0", "cuda:x", "", "cuda:4000"])
def test_wrong_devices_are_named(name):
    with pytest.raises(ValueError, match=f"device '{name}' is not"):
        choose_device(name)
