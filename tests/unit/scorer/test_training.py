import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from framebrush_scorer.networks import read_card, read_network
from framebrush_scorer.painters import PAINTERS
from framebrush_scorer.training import PainterTeacher, Recipe, Trainer, generate
from framebrush_scorer.training.__main__ import describe, main
from framebrush_scorer.training.content import Content, files, read_frames
from framebrush_scorer.training.export import export, to_unit_range
from framebrush_scorer.training.losses import painting_loss, random_flow, stability_loss, warp
from framebrush_scorer.training.options import parse
from framebrush_scorer.training.supply import AHEAD, POOL, Supply
from framebrush_scorer.training.trainer import average_weights, thin
from framebrush_scorer.training.whole import WholeSupply

CPU = torch.device("cpu")
SMALL = Recipe(steps=12, width=4, blocks=1, size=32, batch=2)
INK = PainterTeacher("ink")


def make_trainer(out, recipe=SMALL, **options):
    return Trainer(recipe, INK, [], [], out, CPU, **options)


def assert_same_weights(first, second):
    a, b = first.state_dict(), second.state_dict()
    assert a.keys() == b.keys()
    for key in a:
        torch.testing.assert_close(a[key], b[key], rtol=0, atol=0, msg=key)


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


def test_export_can_be_undone(randomised):
    net = randomised(4, 1, "batch")
    again = to_unit_range(export(net)).state_dict()
    for key, value in net.state_dict().items():
        torch.testing.assert_close(again[key], value, rtol=1e-4, atol=1e-4)


def test_pairs_follow_from_their_numbers(tmp_path):
    first, second = (Supply(Content([], 24), INK, seed=5, device=CPU) for _ in range(2))
    first.draw(np.random.default_rng(0), 8, step=0)
    assert torch.equal(first.pair(40), second.pair(40))
    assert not torch.equal(first.pair(40), first.pair(41))
    assert not torch.equal(first.pair(40), Supply(Content([], 24), INK, seed=6, device=CPU).pair(40))


@pytest.mark.parametrize("step", [0, 500, 5000])
def test_pairs_of_a_step_come_from_the_pool(step):
    supply, drawn = Supply(Content([], 8), INK, seed=0, device=CPU), set()
    supply.pair = lambda number: drawn.add(number) or torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    x, target = supply.draw(np.random.default_rng(0), 400, step)
    assert x.shape == target.shape == (400, 3, 8, 8)
    assert max(0, step + AHEAD - POOL) <= min(drawn) < max(drawn) < step + AHEAD
    assert max(drawn) - min(drawn) > 0.8 * min(step + AHEAD, POOL)


def test_average_starts_at_once_and_slows_down():
    early, late, one = torch.zeros(1), torch.zeros(1), torch.ones(1)
    average_weights([early], [one], 1)
    average_weights([late], [one], torch.tensor(10**6))
    assert early > 0.5
    assert late == pytest.approx(0.002)


def test_thin():
    assert thin([]) == []
    assert thin([1.0, 2.0]) == [1.0, 2.0]
    assert thin(list(map(float, range(100))), 3)[::2] == [0.0, 99.0]


def test_training_learns_and_saves_a_loadable_style(tmp_path):
    trainer = make_trainer(tmp_path / "s.safetensors", replace(SMALL, steps=120, rate=5e-3))
    trainer.run()
    assert len(trainer.losses) == 100
    assert trainer.losses[-1] < 0.8 * trainer.losses[0]
    assert not trainer.checkpoint.exists()
    card = read_card(trainer.out)
    assert card is not None
    assert (card.training["steps"], card.training["painter"]) == (120, "ink")
    net = read_network(trainer.out)
    assert (net.width, net.blocks, net.norm) == (4, 1, "batch")
    assert cv2.imread(str(tmp_path / "s.png")).shape == (4 * 32, 3 * 32, 3)
    x, target = trainer.supply.draw(np.random.default_rng(1), 16, step=0)
    painted, flat = net(255 * x).clamp(0, 255) / 255, target.mean((2, 3), keepdim=True)
    assert (painted - target).abs().mean() < (flat - target).abs().mean(), "better than the right colour everywhere"


@pytest.mark.parametrize("stop", [1, 5])
def test_training_goes_on_from_a_checkpoint_as_if_nothing_had_been(tmp_path, stop):
    """Statistics are fixed at step 3 of 12: before the second stop, after the first."""
    whole = make_trainer(tmp_path / "whole.safetensors")
    whole.run()
    first = make_trainer(tmp_path / "halves.safetensors")
    for _ in range(stop):
        first.train_step()
    first.save()
    second = make_trainer(tmp_path / "halves.safetensors")
    assert second.step == stop
    second.run()
    assert second.losses == whole.losses
    assert_same_weights(second.net, whole.net)
    assert_same_weights(second.average, whole.average)


def test_checkpoint_of_another_recipe_or_teacher_is_refused(tmp_path):
    out = tmp_path / "s.safetensors"
    make_trainer(out).save()
    with pytest.raises(ValueError, match=r"s\.checkpoint is of another training.*'seed': 0"):
        make_trainer(out, replace(SMALL, seed=1))
    with pytest.raises(ValueError, match="'painter': 'ink'"):
        Trainer(SMALL, PainterTeacher("oil"), [], [], out, CPU)


def test_training_can_start_from_a_trained_network(tmp_path, randomised):
    trained = randomised(4, 1, "batch")
    trainer = make_trainer(tmp_path / "s.safetensors", start=trained)
    trainer.net.eval()
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(trainer.paint(x), trained(255 * x) / 255, rtol=1e-3, atol=1e-3)
    with pytest.raises(ValueError, match="has width 5, 1 blocks and batch norm; the recipe asks for 4"):
        make_trainer(tmp_path / "s.safetensors", start=randomised(5, 1, "batch"))


def test_statistics_stay_once_fixed(tmp_path):
    trainer = make_trainer(tmp_path / "s.safetensors")
    while not trainer.frozen:
        trainer.train_step()
    assert trainer.step == SMALL.frozen_from * SMALL.steps + 1
    before = {key: value.clone() for key, value in trainer.net.state_dict().items()}
    assert torch.equal(trainer.average.module.bn3.weight, before["bn3.weight"]), "the average starts anew"
    trainer.train_step()
    after = trainer.net.state_dict()
    assert torch.equal(after["bn3.running_var"], before["bn3.running_var"])
    assert not torch.equal(after["bn3.weight"], before["bn3.weight"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--out", "a.bin"], "must end in .safetensors"),
        (["--painter", "rembrandt"], "invalid choice: 'rembrandt'"),
        (["--image", "a.png"], "not allowed with argument --painter"),
        (["--size", "100"], "size is 100, must be a multiple of 8"),
        (["--steps", "0"], "steps is 0, must be at least 1"),
        (["--rate", "nan"], "rate must be above 0"),
        (["--content", "absent.png"], "absent.png is neither a picture nor a video"),
        (["--start", "absent.safetensors"], "absent.safetensors cannot be read"),
        (["--device", "tpu"], "device 'tpu' is not one of"),
    ],
)
def test_command_line_names_what_is_wrong(tmp_path, monkeypatch, capsys, wrong, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main([*TRAIN, "--out", "a.safetensors", *wrong])
    assert left.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_the_command_line_knows_all_painters_and_reads_without_torch():
    for name in PAINTERS:
        assert parse(["--painter", name, "--out", "a.safetensors"])[0].painter == name
    code = "import sys; from framebrush_scorer.training import __main__, options; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_card_says_what_it_learned_from(tmp_path, pictures):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / ".hidden").touch()
    for path in pictures:
        path.rename(folder / path.name)
    assert [path.name for path in files([folder])] == [path.name for path in pictures]
    out = tmp_path / "s.safetensors"
    main([*TRAIN, *TINY, "--steps", "1", "--out", str(out), "--content", str(folder)])
    content = read_card(out).training["content"]
    assert content == "0.png 1.png 2.png 3.png 4.png 5.png 6.png 7.png and 2 more; generated pictures"
    assert describe([]) == "generated pictures"


TRAIN = ["--painter", "ink", "--threads", "1"]
TINY = ["--steps", "30", "--width", "4", "--blocks", "1", "--size", "32", "--batch", "2"]


def photographs(folder, count=3):
    """Write small pictures with shapes and textures; return their folder."""
    folder.mkdir()
    for k in range(count):
        picture = (255 * generate(np.random.default_rng(k), 96)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{k}.png"), picture[:64])
    return folder


def test_a_network_learns_to_paint_like_a_picture(tmp_path):
    painting, content = photographs(tmp_path / "painting", 1) / "0.png", photographs(tmp_path / "content")
    out, title = tmp_path / "like.safetensors", "A study, by nobody, 2026"
    small = ["--steps", "60", "--width", "4", "--blocks", "1", "--size", "32", "--batch", "2", "--natural-edge", "48"]
    data = ["--like", str(painting), "--title", title, "--content", str(content), "--out", str(out)]
    main([*data, *small, "--threads", "1"])
    card = read_card(out)
    assert card is not None
    assert (card.title, card.natural_edge, card.strokes, card.training["like"]) == (title, 48, True, "0.png")
    losses = card.training["losses"]
    assert losses[-1] < losses[0]
    assert read_network(out).norm == "batch"


class Negative:
    """A teacher whose paintings tell which pixels they are from."""

    whole = True

    def target(self, x):
        return 1 - x


def test_pairs_of_a_whole_picture_are_from_the_same_place(tmp_path):
    learn, _ = read_frames(sorted(photographs(tmp_path / "content").iterdir()))
    supply = WholeSupply(Content(learn, 32), Negative(), 0, CPU, 48)
    for number in range(40):
        picture, painting = supply.pair(number)
        assert picture.shape == (3, 32, 32)
        assert (255 - picture.int() - painting.int()).abs().max() <= 1
    assert torch.equal(supply.pair(7), WholeSupply(Content(learn, 32), Negative(), 0, CPU, 48).pair(7))


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no pictures or films to learn on"), ("flat", "has no variety"), ("bad", "is no picture")],
)
def test_what_cannot_be_learned_from_is_named(tmp_path, capsys, content, words):
    painting, arguments = photographs(tmp_path / "painting", 1) / "0.png", []
    if content == "bad":
        painting.write_bytes(b"no picture")
    if content:
        cv2.imwrite(str(tmp_path / "flat.png"), np.full((64, 64, 3), 90, np.uint8))
        arguments = ["--content", str(tmp_path / "flat.png")]
    out = tmp_path / "like.safetensors"
    with pytest.raises(SystemExit) as left:
        main(["--like", str(painting), *arguments, "--threads", "1", "--steps", "1", "--out", str(out)])
    assert left.value.code == 2
    assert words in capsys.readouterr().err
    assert not out.exists()


def test_training_that_is_interrupted_keeps_what_it_learned_and_goes_on(tmp_path):
    stopped, whole = tmp_path / "stopped.safetensors", tmp_path / "whole.safetensors"
    options = [*TRAIN, *TINY, "--steps", "100"]
    command = [sys.executable, "-m", "framebrush_cli", "train", *options, "--out", str(stopped)]
    process, said = subprocess.Popen(command, stderr=subprocess.PIPE, text=True), []
    while not any(" %  step" in line for line in said):
        said.append(process.stderr.readline())
        assert said[-1], said
    process.send_signal(signal.SIGINT)
    told = "".join(said) + process.communicate(timeout=60)[1]
    assert process.returncode == 130, told
    assert "Traceback" not in told
    [steps] = re.findall(r"stopped: \S+stopped\.safetensors has what was learned in (\d+) of 100 steps", told)
    assert "the same command goes on with it" in told
    assert 0 < int(steps) < 100
    assert read_card(stopped).training["steps"] == int(steps)
    read_network(stopped)
    main([*options, "--out", str(stopped)])
    main([*options, "--out", str(whole)])
    assert_same_weights(read_network(stopped), read_network(whole))


def test_an_interrupt_before_the_first_step_has_no_traceback(tmp_path):
    command = [sys.executable, "-m", "framebrush_cli", "train", *TRAIN, *TINY, "--out", str(tmp_path / "a.safetensors")]
    told = os.environ | {"PYTHONPROFILEIMPORTTIME": "1"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=told)
    while "torch" not in (line := process.stderr.readline()):
        assert line
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert "Traceback" not in said
    assert process.returncode == 130
    assert "stopped: nothing was learned yet" in said


def test_training_that_is_killed_ends_like_one_that_is_not(tmp_path, caplog):
    killed, whole = tmp_path / "killed.safetensors", tmp_path / "whole.safetensors"
    command = [sys.executable, "-m", "framebrush_scorer.training", *TRAIN, *TINY]
    often = [*command, "--save-every", "0", "--out", str(killed)]
    process = subprocess.Popen(often, stderr=subprocess.PIPE, text=True)
    while not killed.exists():  # there is a checkpoint before there are weights
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "killed before the end"
    process.stderr.close()
    with caplog.at_level("INFO"):
        main([*TRAIN, *TINY, "--out", str(killed)])
    assert f"resumed {tmp_path}/killed.checkpoint at step" in caplog.text
    main([*TRAIN, *TINY, "--out", str(whole)])
    assert_same_weights(read_network(killed), read_network(whole))
    assert read_card(killed).training["losses"] == read_card(whole).training["losses"]
