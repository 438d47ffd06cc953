import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from framebrush.styles import InvalidWeights
from framebrush_scorer.networks import read_card, read_network

CARD = {"title": "test", "licence": "MIT", "width": 4, "blocks": 1, "norm": "batch"}


@pytest.fixture
def state(randomised):
    return randomised(4, 1, "batch").state_dict()


def save(state, path):
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize(("width", "blocks", "norm"), [(6, 2, "instance"), (4, 0, "batch"), (32, 5, "instance")])
def test_reads_what_was_saved(tmp_path, randomised, suffix, width, blocks, norm):
    net = randomised(width, blocks, norm)
    read = read_network(save(net.state_dict(), tmp_path / f"a{suffix}"))
    assert (read.width, read.blocks, read.norm, read.training) == (width, blocks, norm, False)
    x = 255 * torch.rand(1, 3, 16, 16)
    assert torch.equal(read(x), net(x))


def test_reads_old_files_with_unused_statistics(tmp_path, randomised):
    net = randomised(4, 1, "instance")
    old = {}
    for key, value in net.state_dict().items():
        old[key] = value
        if ".in" in f".{key}" and key.endswith("bias"):
            old[key.replace("bias", "running_mean")] = torch.zeros(len(value))
            old[key.replace("bias", "running_var")] = torch.full((len(value),), torch.nan)
    assert "res1.in2.running_var" in old
    x = 255 * torch.rand(1, 3, 16, 16)
    assert torch.equal(read_network(save(old, tmp_path / "old.pth"))(x), net(x))


def test_reads_the_format_before_zip_files(tmp_path, state):
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert read_network(tmp_path / "old.pth").width == 4


def test_half_precision_becomes_float32(tmp_path, state):
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    net = read_network(save(half, tmp_path / "a.safetensors"))
    assert {p.dtype for p in net.parameters()} == {torch.float32}


class Payload:
    def __init__(self, victim):
        self.victim = victim

    def __reduce__(self):
        return Path.touch, (self.victim,)


@pytest.mark.parametrize("how", ["torch", "torch-legacy", "pickle"])
def test_never_runs_code(tmp_path, how):
    victim, path = tmp_path / "ran", tmp_path / "evil.pth"
    content = {"conv1.conv2d.weight": Payload(victim)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(InvalidWeights, match=r"evil\.pth"):
        read_network(path)
    assert not victim.exists()
    torch.load(path, weights_only=False) if how != "pickle" else pickle.loads(path.read_bytes())
    assert victim.exists(), "the file would have run code in a careless reader"


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("keep", [0, 7, 1000, -1])
def test_refuses_truncated_files(tmp_path, state, suffix, keep):
    path = save(state, tmp_path / f"cut{suffix}")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InvalidWeights, match="cut"):
        read_network(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"\0" * 500, b"<html>not found</html>", b"\xff" * 64])
def test_refuses_other_files(tmp_path, suffix, content):
    path = tmp_path / f"other{suffix}"
    path.write_bytes(content)
    with pytest.raises(InvalidWeights, match="other"):
        read_network(path)


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(InvalidWeights, match=r"absent\.pth"):
        read_network(tmp_path / "absent.pth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bn2.weight": None}, "lacks bn2.weight"),
        ({"conv1.conv2d.weight": None}, "conv1.conv2d.weight is missing"),
        ({"fc.weight": torch.zeros(2)}, "unknown fc.weight"),
        ({"conv2.conv2d.weight": torch.zeros(8, 4, 5, 5)}, r"conv2.conv2d.weight has shape \(8, 4, 5, 5\), expected"),
        ({"conv1.conv2d.weight": torch.zeros(1000, 3, 9, 9)}, "width <= 256"),
        ({"bn1.bias": torch.tensor([0, torch.nan, 0, 0])}, "bn1.bias holds values that are not finite"),
        ({"bn1.bias": torch.tensor([0, torch.inf, 0, 0])}, "bn1.bias holds values that are not finite"),
        ({"bn1.running_var": torch.tensor([-1.0, 1, 1, 1])}, "negative variances"),
        ({"bn1.bias": torch.zeros(4, dtype=torch.int64)}, "bn1.bias has type torch.int64"),
    ],
)
def test_refuses_wrong_tensors_and_names_them(tmp_path, state, change, message):
    state = {key: value for key, value in (state | change).items() if value is not None}
    with pytest.raises(InvalidWeights, match=message) as raised:
        read_network(save(state, tmp_path / "wrong.safetensors"))
    assert "wrong.safetensors" in str(raised.value)
    assert raised.value.reason == "invalid_weights"


@pytest.mark.parametrize("content", [[torch.zeros(2)], {}, {"a": 1}, {1: torch.zeros(2)}, {"state_dict": {}}])
def test_refuses_other_content(tmp_path, content):
    with pytest.raises(InvalidWeights, match=r"a\.pth"):
        read_network(save(content, tmp_path / "a.pth"))


def test_card_is_read(tmp_path, state):
    path = save(state, tmp_path / "a.safetensors")
    assert read_card(path) is None
    path.with_suffix(".json").write_text(json.dumps(CARD))
    card = read_card(path)
    assert card is not None
    assert card.title == "test"
    assert read_network(path).width == 4


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (json.dumps(CARD | {"width": 16}), "its card a.json says 16"),
        (json.dumps(CARD | {"norm": "none"}), "a.json is not a valid card: norm"),
        (json.dumps(CARD | {"values": "0..1"}), "values"),
        (json.dumps({"title": "x"}), "licence"),
        ("{", "a.json is not a valid card"),
    ],
)
def test_wrong_cards_are_refused(tmp_path, state, card, message):
    path = save(state, tmp_path / "a.safetensors")
    path.with_suffix(".json").write_text(card)
    with pytest.raises(InvalidWeights, match=message):
        read_network(path)
