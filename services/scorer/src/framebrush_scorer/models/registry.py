"""Finds and loads frame models by name."""

from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path

from framebrush.contracts import PICTURE, PinnedStyle
from framebrush.pictures import network_file
from framebrush.styles import BUILT_IN, GROUP, find_styles, known_models, unknown
from framebrush_scorer.frames import RgbFrames
from framebrush_scorer.models.model import Factory, FrameModel
from framebrush_scorer.models.painted import PainterModel
from framebrush_scorer.models.style import StyleModel
from framebrush_scorer.networks import read_card, read_network, read_picture_net

SHIPPED = Path(__file__).parents[1] / "styles"
"""The folder of the styles that come with this package."""

PICTURE_EDGE = 360
"""The natural edge of the picture-driven model. On smaller frames its strokes turn into noise, on larger ones they are
fine, so that one sees little of them from a distance."""


class Identity:
    """Gives frames back as they are, which tests the fidelity of a run and measures its overhead."""

    name = "identity"

    def __call__(self, frames: RgbFrames) -> RgbFrames:
        """Return a copy of frames (B, H, W, 3)."""
        return frames.copy()


FACTORIES: dict[str, Callable[[str, int | None], FrameModel]] = {
    name: partial(PainterModel, name) if name != Identity.name else lambda _device, _memory: Identity()
    for name in BUILT_IN
}
"""What makes each built-in model, by its name, for a device and the bytes that a pass may take."""


def available_models(styles: Path | None = None) -> list[str]:
    """Return the names that :func:`load` knows, sorted."""
    return sorted({*known_models(styles), *find_styles(SHIPPED)} - {PICTURE})


def load(name: str, styles: Path | None = None, device: str = "auto", memory: int | None = None) -> FrameModel:
    """Load the model of a name.

    It is looked for among the built-in models, in installed packages, in the user's folder of styles, and among the
    shipped styles, in this order.

    Args:
        name: One of :func:`available_models`.
        styles: The folder of the user's ``.safetensors`` and ``.pth`` files. A style is called like its file.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        memory: Bytes that a pass may take, for models that can work in tiles. By default this is a quarter of what the
            container, machine or card has.

    Raises:
        UnknownModel: There is no such model; the message lists all that there are.
        InvalidWeights: The style's file is damaged or holds no style network.
        ValueError: There is no such device.

    """
    if factory := FACTORIES.get(name):
        return factory(device, memory)
    for entry in entry_points(group=GROUP, name=name):
        plugged: Factory = entry.load()
        return plugged(device)
    if path := (find_styles(SHIPPED) | find_styles(styles)).get(name):
        return load_weights(name, path, None, device, memory)
    raise unknown(name, available_models(styles))


def load_weights(
    name: str, path: Path, pinned: PinnedStyle | None = None, device: str = "auto", memory: int | None = None
) -> FrameModel:
    """Load a style from a file of weights.

    Args:
        name: The name of the style.
        path: The file of its weights, ``.safetensors`` or ``.pth``.
        pinned: What the library tells of it; by default the card beside the file does, if there is one.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        memory: Bytes that a pass may take; see :func:`load`.

    Raises:
        InvalidWeights: The file is damaged or holds no style network.
        ValueError: There is no such device.

    """
    net, told = read_network(path), pinned or read_card(path)
    natural_edge, strokes = (told.natural_edge, told.strokes) if told else (None, False)
    return StyleModel(name, net, device, memory, natural_edge, strokes=strokes)


def load_picture(
    vector: Sequence[float], networks: Path | None = None, device: str = "auto", memory: int | None = None
) -> FrameModel:
    """Load the model that paints like a picture.

    Args:
        vector: The style vector of the picture, 100 numbers.
        networks: The folder of its networks; see :func:`framebrush.pictures.network_file`.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        memory: Bytes that a pass may take; see :func:`load`.

    Raises:
        NoPictureNetwork: The weights are missing or damaged.
        ValueError: There is no such device.

    """
    net = read_picture_net(network_file("transform", networks), vector)
    return StyleModel(PICTURE, net, device, memory, PICTURE_EDGE, strokes=True)
