from statistics import median

import cv2
import numpy as np
import pytest
import torch
from torchvision.models.vgg import cfgs, make_layers

from framebrush.styles import InvalidWeights
from framebrush_scorer.networks import read_card, read_network
from framebrush_scorer.training import PictureTeacher, Recipe, Trainer, read_vgg
from framebrush_scorer.training.__main__ import main
from framebrush_scorer.training.losses import STYLE_WEIGHT, gram

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def vgg(tmp_path_factory):
    """A file as torchvision's, with random weights: VGG16's own are not needed to see that the loss is right."""
    torch.manual_seed(0)
    layers = make_layers(cfgs["D"], batch_norm=False)[:23]
    state = {f"features.{key}": value for key, value in layers.state_dict().items()}
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(state | {"classifier.0.bias": torch.zeros(3)}, path)
    return path


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "waves.png"
    y, x = np.mgrid[0:48, 0:96]
    red = 128 + 120 * np.sin(0.6 * x + 3 * np.sin(0.2 * y))
    cv2.imwrite(str(path), np.stack([255 - red, red / 2, red], -1).astype(np.uint8))
    return path


def test_loss_is_that_of_the_paper(vgg, picture):
    """Computed anew, sum by sum, from torchvision's layers."""
    teacher = PictureTeacher(picture, read_vgg(vgg), CPU)
    layers = make_layers(cfgs["D"], batch_norm=False)[:23].eval()
    layers.load_state_dict({k.removeprefix("features."): v for k, v in torch.load(vgg).items() if "features" in k})
    y, content = torch.rand(2, 3, 32, 40), torch.rand(2, 3, 32, 40)
    style = torch.from_numpy(cv2.imread(str(picture), cv2.IMREAD_COLOR_RGB)).permute(2, 0, 1)[None] / 255

    def see(x):
        x = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
            :, None, None
        ]
        seen = []
        for k, layer in enumerate(layers):
            x = layer(x)
            if k in (3, 8, 15, 22):
                seen.append(x.clone())
        return seen

    with torch.no_grad():
        seen, expected = see(y), ((see(y)[1] - see(content)[1]) ** 2).mean()
        for painted, wanted in zip(seen, see(style), strict=True):
            grams = [torch.einsum("bchw,bdhw->bcd", f, f) / f[0].numel() for f in (painted, wanted)]
            expected += STYLE_WEIGHT * ((grams[0] - grams[1]) ** 2).mean()
        torch.testing.assert_close(teacher.loss(y, content), expected, rtol=1e-4, atol=0)
        assert teacher.loss(style, style) < 1e-6


def test_gram_of_known_activations():
    seen = torch.tensor([[[[1.0, 2.0]], [[3.0, 4.0]]]])
    assert torch.equal(gram(seen), torch.tensor([[[5.0, 11.0], [11.0, 25.0]]]) / 4)


def test_a_network_learns_the_style_of_a_picture(vgg, picture, tmp_path):
    recipe = Recipe(steps=60, width=4, blocks=1, size=32, batch=2, rate=1e-2, stability=0)
    trainer = Trainer(recipe, PictureTeacher(picture, read_vgg(vgg), CPU), [], [], tmp_path / "s.safetensors", CPU)
    trainer.run()
    assert median(trainer.losses[-10:]) < 0.5 * trainer.losses[0]  # one step's own may jump at this rate


def test_the_command_learns_from_a_picture(vgg, picture, tmp_path):
    out = tmp_path / "waves.safetensors"
    tiny = ["--steps", "2", "--width", "4", "--blocks", "1", "--size", "16", "--batch", "2"]
    main(["--image", str(picture), "--image-size", "80", "--vgg", str(vgg), "--out", str(out), *tiny])
    assert read_network(out).width == 4
    card = read_card(out)
    assert card.title == "learned from the picture waves.png"
    assert (card.training["image"], card.training["image_size"]) == ("waves.png", 80)


@pytest.mark.parametrize("shape", [(1, 1), (3, 900), (1500, 20)])
def test_pictures_of_any_size_can_be_learned(vgg, tmp_path, shape):
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((*shape, 3), 99, np.uint8))
    teacher = PictureTeacher(path, read_vgg(vgg), CPU)
    assert 64 <= teacher.facts["image_size"] <= 1024
    assert all(each.isfinite().all() for each in teacher.style.values())


def test_a_missing_picture_is_named_before_anything_is_downloaded(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["--image", "absent.png", "--out", str(tmp_path / "a.safetensors")])
    assert "absent.png: there is no such file" in capsys.readouterr().err


def test_what_is_no_picture_is_refused(vgg, tmp_path):
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(ValueError, match=r"a\.txt is no picture"):
        PictureTeacher(tmp_path / "a.txt", read_vgg(vgg), CPU)


def test_weights_that_cannot_be_downloaded_are_named_with_the_place_to_put_them(vgg, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    place = tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth"
    url = "file:///absent/vgg16-397923af.pth"
    with pytest.raises(InvalidWeights, match=rf"cannot be downloaded from {url}.*put that file at {place}"):
        read_vgg(url=url)
    assert not place.exists()
    with pytest.raises(InvalidWeights, match="invalid hash value"):
        read_vgg(url=vgg.as_uri())
    place.write_bytes(vgg.read_bytes())
    assert torch.equal(read_vgg(url=url).features[0].weight, torch.load(vgg)["features.0.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features.0.weight": None}, "lacks features.0.weight"),
        ({"features.5.bias": torch.zeros(3)}, r"features.5.bias has shape \(3,\), expected \(128,\)"),
        ({"features.5.bias": torch.full((128,), torch.nan)}, "not finite"),
        ({"features.5.bias": print}, "vgg16.pth holds Python objects"),
    ],
)
def test_other_weights_than_those_of_vgg16_are_refused(vgg, tmp_path, change, message):
    state = {key: value for key, value in (torch.load(vgg) | change).items() if value is not None}
    torch.save(state, tmp_path / "vgg16.pth")
    with pytest.raises(InvalidWeights, match=message):
        read_vgg(tmp_path / "vgg16.pth")


def test_missing_weights_are_named(tmp_path):
    with pytest.raises(InvalidWeights, match=r"absent\.pth cannot be read"):
        read_vgg(tmp_path / "absent.pth")
