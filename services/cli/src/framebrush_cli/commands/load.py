"""``framebrush.load``: a style as a function of frames, for programs that have frames in memory."""

from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from framebrush.contracts import PICTURE
from framebrush.sandbox import Sandbox
from framebrush.styles import SUFFIXES, nearest
from framebrush_cli.commands.preview import library_of
from framebrush_cli.errors import CommandFailed, NotInstalled
from framebrush_cli.installation import Connection, NamedPicture, check_styles

if TYPE_CHECKING:
    from framebrush_cli.preview import Models
    from framebrush_scorer.models import FrameModel
    from framebrush_scorer.pipeline import Style

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
"""What the names of pictures end in, by which a file that is missing is told from a style that is."""


def load(
    style: str | Path,
    *,
    strength: float = 1.0,
    keep_colors: bool = False,
    scale: float = 1.0,
    strokes: bool | None = None,
    smoothing: float = 0.0,
    styles: str | Path | None = None,
    device: str = "auto",
    memory: int | None = None,
) -> "Style":
    """Load a style, to be called with frames: ``load("starry")(frames)``.

    Args:
        style: The name of a style, as ``framebrush styles list`` tells them: one of the installation's library, if
            there is an installation, or else one that comes with framebrush. Or a picture, a JPEG, PNG or WebP file,
            which is painted like. Or a file of weights, ``.safetensors`` or ``.pth``.
        strength: How much of the painting, in 0..1: 0 gives the frames, and 1 the painting.
        keep_colors: Whether the paintings have the frames' own colours.
        scale: The size of the brush, 0.25 to 4, relative to that which the style has by itself.
        strokes: Whether the paintings are laid in brush strokes; by default as the style has it. Painters ignore it.
        smoothing: How much each frame is averaged with its neighbours in the array, along the motion, in 0..1.
        styles: A folder of further styles, ``.safetensors`` and ``.pth`` files, each called like its file.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; ``auto`` takes a GPU where there is one.
        memory: The megabytes (10^6 bytes) that the model may take beside the frames, which are painted in tiles if
            they need more; by default a quarter of what the container, machine or card has.

    Raises:
        UnknownModel: There is no such style; the text says which names are near.
        CommandFailed: There is no such file, it cannot be read, or the scorer is not installed.
        InvalidPicture: The picture is damaged, or too small.
        InvalidWeights: The weights of the style are damaged, or those of something else.
        ValueError: A number is out of its range, or there is no such device.
    """
    if not (find_spec("framebrush_scorer") and find_spec("framebrush_splitter")):
        raise NotInstalled("a style is painted here, and needs the scorer", "cli[preview]")
    from framebrush_cli.preview import Models
    from framebrush_scorer.pipeline import Controls, Style

    controls, named = Controls(strength, keep_colors, scale, strokes), Path(style)
    is_file = named.is_file() or "/" in str(style) or named.suffix.lower() in (*PICTURES, *SUFFIXES)
    library = None if is_file else library_of(Connection())
    models = Models(library, Path(styles) if styles else None, device, memory and memory * 10**6)
    return Style(_of_file(models, named) if is_file else _of_name(models, str(style)), controls, smoothing)


def _of_file(models: "Models", path: Path) -> "FrameModel":
    if not path.is_file():
        raise _missing(path)
    if path.suffix.lower() in SUFFIXES:
        return models.of_weights(path)
    from framebrush_cli.preview import Studio

    with closing(Sandbox(modules=["framebrush.pictures.picture"])) as sandbox:
        vector = Studio(sandbox).picture_vector([NamedPicture.read(str(path))], None, "styles")
    return models.like(vector)


def _missing(path: Path) -> CommandFailed:
    if path.is_dir():
        return CommandFailed(f"{path} is a folder: name a picture or a file of weights in it")
    near = nearest(path.name, (each.name for each in path.parent.iterdir())) if path.parent.is_dir() else []
    guess = f": did you mean {' or '.join(str(path.with_name(name)) for name in near)}?" if near else ""
    return CommandFailed(f"{path}: there is no such file{guess}")


def _of_name(models: "Models", name: str) -> "FrameModel":
    if name == PICTURE:
        raise CommandFailed(
            "picture is the style that paints like a picture: give the path of one, load('painting.jpg')"
        )
    check_styles([name], models.library, models.styles)
    return models.named(name)
