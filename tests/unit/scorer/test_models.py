import importlib.metadata

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import framebrush.styles.catalogue
import framebrush_scorer.models.registry
from framebrush.styles import BUILT_IN, InvalidWeights, UnknownModel, find_styles
from framebrush.styles import SHIPPED as SHIPPED_NAMES
from framebrush_scorer.models import SHIPPED, StyleModel, available_models, load
from framebrush_scorer.networks import Card, read_card
from framebrush_scorer.painters import lay_strokes


@pytest.fixture
def frames():
    return np.random.default_rng(0).integers(0, 256, (3, 26, 35, 3), dtype=np.uint8)


@pytest.fixture
def styles(tmp_path, randomised):
    save_file(randomised(4, 1, "batch").state_dict(), tmp_path / "mine.safetensors")
    torch.save(randomised(4, 1, "instance").state_dict(), tmp_path / "theirs.pth")
    return tmp_path


def test_identity_returns_other_arrays_with_the_same_pixels(frames):
    out = load("identity")(frames)
    assert np.array_equal(out, frames)
    assert not np.shares_memory(out, frames)


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_style_gives_the_pixels_of_the_net(frames, randomised, norm):
    net = randomised(4, 1, norm)
    even = np.ascontiguousarray(frames[:, :24, :32])
    with torch.no_grad():
        x = torch.from_numpy(even).permute(0, 3, 1, 2).float()
        expected = torch.cat([net(x[k : k + 1]) for k in range(len(x))]).round().clamp(0, 255)
    out = StyleModel("s", net, "cpu")(even).astype(int)
    error = ((out - expected.permute(0, 2, 3, 1).numpy()) ** 2).mean()
    assert error < 255**2 / 10**4  # 40 dB
    assert not np.array_equal(out, even)


def test_a_card_asks_for_strokes(tmp_path, randomised):
    net = randomised(4, 1, "batch")
    for name in ("plain", "strokes"):
        save_file(net.state_dict(), tmp_path / f"{name}.safetensors")
    card = Card(title="In strokes", licence="MIT", width=4, blocks=1, norm="batch", strokes=True)
    (tmp_path / "strokes.json").write_text(card.model_dump_json())
    y, x = np.mgrid[:48, :64]
    stripes = np.repeat((128 + 90 * np.sin(0.4 * x + 0.2 * y))[None, ..., None], 3, axis=3).astype(np.uint8)
    plain, strokes = (load(name, tmp_path, "cpu")(stripes) for name in ("plain", "strokes"))
    painting, picture = (torch.from_numpy(frames).permute(0, 3, 1, 2) / 255 for frames in (plain, stripes))
    expected = (255 * lay_strokes(painting, picture)).round().byte().permute(0, 2, 3, 1).numpy()
    assert np.array_equal(strokes, expected)
    assert not np.array_equal(strokes, plain)


@pytest.mark.parametrize("name", ["identity", "ink", "oil", "mosaic", "vangogh", "mine", "theirs", "gouache"])
@pytest.mark.parametrize("size", [(1, 1), (1, 17), (7, 3), (8, 8), (26, 35)])
def test_any_size_and_each_frame_by_itself(frames, styles, name, size):
    model = load(name, styles, "cpu")
    part = frames[:, : size[0], : size[1]]
    part.flags.writeable = False
    out = model(part)
    assert model.name == name
    assert out.shape == part.shape
    assert out.dtype == np.uint8
    assert np.array_equal(out[1:2], model(part[1:2]))


@pytest.mark.parametrize("name", ["gouache", "ink", "theirs"])
@pytest.mark.parametrize("size", [(4099, 17), (17, 4099)])
def test_very_long_frames(styles, name, size):
    frame = np.random.default_rng(0).integers(0, 256, (1, *size, 3), dtype=np.uint8)
    assert load(name, styles, "cpu")(frame).shape == frame.shape


@pytest.mark.parametrize("name", ["oil", "theirs"])
@pytest.mark.parametrize("shape", [(26, 35, 3), (0, 8, 8, 3), (1, 8, 8, 4), (1, 0, 8, 3)])
def test_what_is_no_frames_is_refused(styles, name, shape):
    with pytest.raises(ValueError, match="expected uint8 RGB frames"):
        load(name, styles, "cpu")(np.zeros(shape, np.uint8))


def test_float_frames_are_refused():
    with pytest.raises(ValueError, match="float32"):
        load("ink", device="cpu")(np.zeros((1, 8, 8, 3), np.float32))


def test_available_lists_every_kind(styles):
    assert {"identity", "ink", "mosaic", "oil", "vangogh", "woodcut", "mine", "theirs", "gouache"} <= set(
        available_models(styles)
    )
    assert "mine" not in available_models()


@pytest.mark.parametrize("name", ["nope", "", "../mine", "/etc/passwd", "mine.safetensors", "a" * 5000, "mine\0"])
def test_unknown_models_name_those_there_are(styles, name):
    with pytest.raises(UnknownModel, match=r"unknown model .*: .*identity.*mine") as raised:
        load(name, styles)
    assert raised.value.reason == "unknown_model"
    assert len(str(raised.value)) < 300


def test_a_missing_folder_has_no_styles(tmp_path):
    assert find_styles(tmp_path / "absent") == {}


def test_files_with_odd_names_are_left_out(tmp_path):
    for name in ("ok.pth", ".hidden.pth", "has space.pth", "-flag.pth", "notes.txt"):
        (tmp_path / name).touch()
    assert find_styles(tmp_path).keys() == {"ok"}


def test_safetensors_win_over_pth_and_user_over_shipped(styles):
    (styles / "mine.pth").write_bytes(b"damaged")
    assert load("mine", styles, "cpu").name == "mine"
    (styles / "gouache.pth").write_bytes(b"damaged")
    with pytest.raises(InvalidWeights, match=r"gouache\.pth"):
        load("gouache", styles, "cpu")


def test_models_of_other_packages(monkeypatch, frames):
    class Negative:
        name = "negative"

        def __call__(self, frames):
            return 255 - frames

    entry = importlib.metadata.EntryPoint("negative", "somewhere:Negative", "framebrush.models")
    monkeypatch.setattr(importlib.metadata.EntryPoint, "load", lambda self: lambda device: Negative())
    entries = importlib.metadata.EntryPoints([entry])
    for module in (framebrush.styles.catalogue, framebrush_scorer.models.registry):
        monkeypatch.setattr(module, "entry_points", entries.select)
    assert "negative" in available_models()
    assert np.array_equal(load("negative")(frames), 255 - frames)


def test_every_shipped_style_is_small_has_a_card_and_paints(frames):
    assert find_styles(SHIPPED).keys().isdisjoint(BUILT_IN)
    assert find_styles(SHIPPED).keys() == set(SHIPPED_NAMES)
    for name, path in find_styles(SHIPPED).items():
        assert path.stat().st_size < 2_000_000
        card = read_card(path)
        assert card is not None
        assert card.licence == "MIT"
        assert not np.array_equal(load(name, device="cpu")(frames), frames)
