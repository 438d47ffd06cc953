"""The network with 26 trained styles, against its own ONNX file."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from framebrush.pictures import NoPictureNetwork, network_file
from framebrush_scorer.networks import read_multistyle_net
from framebrush_scorer.training.options import parse
from framebrush_scorer.training.trained import TrainedTeacher


@pytest.mark.parametrize("style", [0, 25])
def test_it_paints_what_onnxruntime_paints(style: int) -> None:
    path = network_file("multistyle")
    image = np.random.default_rng(0).random((1, 3, 40, 64), np.float32)
    session = onnxruntime.InferenceSession(path)
    (wanted,) = session.run(None, {"image": image, "style_weights": np.eye(26, dtype=np.float32)[style]})
    found = read_multistyle_net(path, style)(255 * torch.from_numpy(image))
    assert np.abs(found.numpy() - 255 * wanted).max() < 0.05


def test_a_teacher_paints_pictures_of_any_size() -> None:
    teacher = TrainedTeacher(19)
    x = torch.rand(2, 3, 37, 50)
    y = teacher.target(x)
    assert y.shape == x.shape
    assert 0 <= float(y.min()) <= float(y.max()) <= 1
    assert teacher.loss(y, y) == 0
    assert teacher.facts == {"trained": 19}


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="0 to 25"):
        TrainedTeacher(26)
    with pytest.raises(NoPictureNetwork, match=r"multistyle26\.onnx"):
        TrainedTeacher(3, tmp_path)
    (tmp_path / "multistyle26.onnx").write_bytes(b"nonsense")
    with pytest.raises(NoPictureNetwork, match="26 trained styles"):
        TrainedTeacher(3, tmp_path)


def test_the_command_line_has_it(tmp_path: Path) -> None:
    args, _ = parse(["--trained", "19", "--out", str(tmp_path / "a.safetensors")])
    assert args.trained == 19
