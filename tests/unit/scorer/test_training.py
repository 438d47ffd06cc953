import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from framebrush_scorer.painters import PAINTERS
from framebrush_scorer.training.content import Content, read_frames
from framebrush_scorer.training.generator import generate
from framebrush_scorer.training.losses import painting_loss, random_flow, stability_loss, warp
from framebrush_scorer.training.trainer import Recipe, Trainer, average_weights, export, thin
from framebrush_scorer.weights import read_card, read_network

CPU = torch.device("cpu")
SMALL = Recipe("ink", seconds=3, width=4, blocks=1, size=32, batch=2)


@pytest.fixture
def pictures(tmp_path):
    paths = []
    for k in range(10):
        paths.append(tmp_path / f"{k}.png")
        cv2.imwrite(str(paths[-1]), np.full((40, 60, 3), (k, 100, 200), np.uint8))  # blue, green, red
    return paths


@pytest.mark.parametrize("size", [32, 144])
def test_generated_pictures_are_valid_varied_and_repeatable(size):
    first = [generate(np.random.default_rng(k), size) for k in range(8)]
    assert all(p.shape == (size, size, 3) and p.dtype == np.float32 for p in first)
    assert all(p.min() >= 0 and p.max() <= 1 for p in first)
    assert np.stack(first).std(0).mean() > 0.1
    assert np.array_equal(first[3], generate(np.random.default_rng(3), size))


def test_content_keeps_some_frames_apart_and_is_rgb(pictures):
    learn, keep = read_frames(pictures)
    assert len(learn) == 9
    assert keep[0][0, 0].tolist() == [200, 100, 9]


def test_a_video_teaches_by_its_first_half_only(tmp_path):
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 32))
    for k in range(10):
        writer.write(np.full((32, 32, 3), k * 25, np.uint8))
    writer.release()
    learn, keep = read_frames([path], per_video=3)
    assert [round(f.mean() / 25) for f in learn] == [0, 2, 4]
    assert round(keep[0].mean() / 25) == 9


def test_unreadable_content_is_named(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ValueError, match=r"notes\.txt is neither"):
        read_frames([tmp_path / "notes.txt"])


@pytest.mark.parametrize("shape", [(40, 60, 3), (8, 300, 3), (1, 1, 3)])
def test_crops_of_any_frame_have_the_size_asked_for(shape):
    content = Content([np.full(shape, 128, np.uint8)], size=24, generated=0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        picture = content.draw(rng)
        assert picture.shape == (24, 24, 3)
        assert 0 <= picture.min() <= picture.max() <= 1


@pytest.mark.parametrize("name", sorted(PAINTERS))
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (40, 56)])
def test_painters_take_any_size_and_give_colours(name, size):
    x = torch.rand(2, 3, *size)
    y = PAINTERS[name](x)
    assert y.shape == x.shape
    assert y.isfinite().all()
    assert 0 <= y.min() <= y.max() <= 1
    torch.testing.assert_close(PAINTERS[name](x[1:]), y[1:], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", sorted(PAINTERS))
def test_painters_smooth_noise_and_keep_edges(name):
    x = torch.full((1, 3, 64, 64), 0.3)
    x[..., 32:] = 0.9
    y = PAINTERS[name](x + 0.03 * torch.randn_like(x))
    assert y[..., 12:20, 12:20].std((2, 3)).max() < 0.02
    assert (y[..., 48].mean() - y[..., 16].mean()) > 0.3


def test_painting_loss_prefers_a_misplaced_contour_to_a_blurred_one():
    target = torch.zeros(1, 3, 32, 32)
    target[..., 16:] = 1
    blurred = torch.nn.functional.avg_pool2d(target, (1, 9), 1, (0, 4), count_include_pad=False)
    moved = target.roll(1, dims=3)
    moved[..., 0] = 0
    assert painting_loss(target, target) == 0
    assert painting_loss(moved, target) < painting_loss(blurred, target)


def test_stability_loss_is_zero_for_what_moves_along():
    flow = random_flow(torch.Generator().manual_seed(0), 2, 48)
    x = torch.rand(2, 3, 48, 48)
    assert (warp(x, flow) - x).abs().mean() > 0.05
    assert stability_loss(x, warp(x, flow), flow) == 0
    flicker = stability_loss(x, warp(x, flow) + 0.1, flow)
    assert 0.05 < flicker <= 0.1001


def test_export_changes_the_range_and_nothing_else(randomised):
    net = randomised(4, 1, "batch")
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(export(net).eval()(255 * x), (net(2 * x - 1) / 2 + 0.5) * 255, rtol=1e-4, atol=5e-2)


def test_average_starts_at_once_and_slows_down():
    zero, one = torch.zeros(1), torch.ones(1)
    assert average_weights(zero, one, 1) > 0.5
    assert average_weights(zero, one, torch.tensor(10**6)) == pytest.approx(0.002)


def test_thin():
    assert thin([]) == []
    assert thin([1.0, 2.0]) == [1.0, 2.0]
    assert thin(list(map(float, range(100))), 3)[::2] == [0.0, 99.0]


def test_training_learns_and_saves_a_loadable_style(tmp_path):
    patient = replace(SMALL, seconds=15)  # training goes by time: enough of it for a machine with other work, too
    trainer = Trainer(patient, [], [], tmp_path / "s.safetensors", CPU)
    trainer.run(report_every=0.5)
    assert trainer.losses[-1] < 0.8 * trainer.losses[0]
    assert not trainer.checkpoint.exists()
    card = read_card(trainer.out)
    assert card is not None
    assert card.training["steps"] == trainer.step
    net = read_network(trainer.out)
    assert (net.width, net.blocks, net.norm) == (4, 1, "batch")
    assert cv2.imread(str(tmp_path / "s.png")).shape == (4 * 32, 3 * 32, 3)
    x, target = trainer.draw(16)
    painted, flat = net(255 * x).clamp(0, 255) / 255, target.mean((2, 3), keepdim=True)
    assert (painted - target).abs().mean() < (flat - target).abs().mean(), "better than the right colour everywhere"


def test_training_goes_on_from_a_checkpoint(tmp_path):
    first = Trainer(SMALL, [], [], tmp_path / "s.safetensors", CPU)
    first.fill(4)
    for _ in range(3):
        first.train_step()
    first.elapsed = 1.5
    first.save()
    second = Trainer(SMALL, [], [], tmp_path / "s.safetensors", CPU)
    assert (second.step, second.elapsed, second.progress) == (3, 1.5, 0.5)
    for a, b in ((first.net, second.net), (first.average, second.average)):
        assert all(torch.equal(p, q) for p, q in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
    moments = [o.state_dict()["state"][0]["exp_avg"] for o in (first.optimiser, second.optimiser)]
    assert torch.equal(*moments)


def test_statistics_stay_once_fixed(tmp_path):
    trainer = Trainer(SMALL, [], [], tmp_path / "s.safetensors", CPU)
    trainer.fill(4)
    trainer.train_step()
    trainer.freeze()
    before = {key: value.clone() for key, value in trainer.net.state_dict().items()}
    trainer.train_step()
    after = trainer.net.state_dict()
    assert torch.equal(after["bn3.running_var"], before["bn3.running_var"])
    assert not torch.equal(after["bn3.weight"], before["bn3.weight"])
    assert torch.equal(trainer.average.module.bn3.weight, after["bn3.weight"]), "the average starts anew"


def test_same_seed_same_weights(tmp_path):
    states = []
    for k in range(2):
        trainer = Trainer(SMALL, [], [], tmp_path / f"{k}.safetensors", CPU)
        trainer.fill(4)
        for _ in range(2):
            trainer.train_step()
        states.append(trainer.net.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_command_line_names_what_is_wrong(tmp_path: Path):
    command = [sys.executable, "-m", "framebrush_scorer.training", "--style", "ink", "--out", str(tmp_path / "a.bin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "must end in .safetensors" in done.stderr
