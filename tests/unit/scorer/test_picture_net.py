"""The network that paints like a picture."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper

from framebrush.media import psnr
from framebrush.pictures import NoPictureNetwork, network_file, predict
from framebrush_scorer.frames import RgbFrames
from framebrush_scorer.models import load_picture, rounded, to_frames, to_tensor
from framebrush_scorer.networks import optimise, read_picture_net


def shapes(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture of soft shapes with some detail, uint8 (H, W, 3)."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 7, 9, generator=generator)
    soft = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    picture = 0.85 * soft + 0.15 * torch.rand(1, 3, height, width, generator=generator)
    return (255 * picture[0].permute(1, 2, 0)).numpy().astype(np.uint8)


@pytest.fixture(scope="module")
def vector() -> tuple[float, ...]:
    return predict([shapes(256, 256, seed=5)])[0]


def test_it_paints_what_the_file_paints(vector: tuple[float, ...]) -> None:
    """The file itself runs at one size only, with rounded numbers in between."""
    frame = shapes(384, 384)
    session = onnxruntime.InferenceSession(str(network_file("transform")), providers=["CPUExecutionProvider"])
    image, style = (entry.name for entry in session.get_inputs())
    size = [1 if isinstance(edge, str) else edge for edge in session.get_inputs()[1].shape]
    feed = {image: frame[None].astype(np.float32) / 255, style: np.float32(vector).reshape(size)}
    wanted = 255 * session.run(None, feed)[0][0]
    with torch.inference_mode():
        net = read_picture_net(network_file("transform"), vector)
        found = net.paint_once(torch.from_numpy(frame).permute(2, 0, 1)[None].float())[0].permute(1, 2, 0).numpy()
    assert psnr(found, wanted) > 25
    assert psnr(frame.astype(np.float32), wanted) < 20


def test_the_fast_form_computes_the_same(vector: tuple[float, ...]) -> None:
    net, x = read_picture_net(network_file("transform"), vector), torch.rand(1, 3, 48, 64) * 255
    with torch.inference_mode():
        assert (net(x) - optimise(net)(x)).abs().max() < 0.01


def test_the_painting_moves_with_the_picture(vector: tuple[float, ...]) -> None:
    """The network's own texture stays where it is on the pixel grid, and so it flickers."""
    model, net = load_picture(vector, device="cpu"), read_picture_net(network_file("transform"), vector)
    whole = shapes(136, 136)
    here, there = whole[:-8, :-8], whole[2:-6, 3:-5]

    def once(frames: RgbFrames) -> RgbFrames:
        with torch.inference_mode():
            return to_frames([rounded(net.paint_once(to_tensor(frames, torch.device("cpu")).float()))])

    def unsteady(paint: Callable[[RgbFrames], RgbFrames]) -> float:
        first, second = paint(here[None])[0, 2:, 3:], paint(there[None])[0, :-2, :-3]
        return float(np.square(first.astype(float) - second)[24:-24, 24:-24].mean())

    assert unsteady(model) < 0.25 * unsteady(once)


@pytest.mark.parametrize("size", [(1, 1), (3, 70), (33, 41)])
def test_any_size_and_each_frame_by_itself(vector: tuple[float, ...], size: tuple[int, int]) -> None:
    model = load_picture(vector, device="cpu")
    frames = np.random.default_rng(1).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    out = model(frames)
    assert (out.shape, out.dtype) == (frames.shape, np.uint8)
    assert np.array_equal(out[1:], model(frames[1:]))


@pytest.mark.parametrize("part", ["contract/conv1/", "residual3/conv1/weights", "StyleNorm/Conv_1/", "StyleNorm/Conv/"])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, vector: tuple[float, ...], part: str) -> None:
    """Those of the convolutions as well as those that make the normalisations."""
    model = onnx.load(network_file("transform"))
    dequantised = [node.input for node in model.graph.node if node.op_type == "DequantizeLinear"]
    scale = next(names[1] for names in dequantised if part in names[0])
    (tensor,) = (tensor for tensor in model.graph.initializer if tensor.name == scale)
    tensor.CopyFrom(numpy_helper.from_array(np.full_like(numpy_helper.to_array(tensor), np.nan), scale))
    onnx.save(model, tmp_path / "arbitrary_transform.onnx")
    with pytest.raises(NoPictureNetwork, match="not finite"):
        load_picture(vector, tmp_path, "cpu")


@pytest.mark.parametrize("damage", ["missing", "nonsense", "other", "cut"])
def test_a_file_that_is_not_this_network_is_named(tmp_path: Path, vector: tuple[float, ...], damage: str) -> None:
    path = tmp_path / "arbitrary_transform.onnx"
    content = {"missing": None, "nonsense": b"nonsense" * 99, "other": network_file("predict").read_bytes()}
    content["cut"] = network_file("transform").read_bytes()[:200_000]
    if (data := content[damage]) is not None:
        path.write_bytes(data)
    with pytest.raises(NoPictureNetwork, match=r"arbitrary_transform\.onnx"):
        load_picture(vector, tmp_path, "cpu")
