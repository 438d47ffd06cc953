"""Settings of the scorer."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from framebrush.pictures import PictureSettings
from framebrush.service import Settings


class ScorerSettings(PictureSettings, Settings):
    """The settings of the scorer, beside those of every service: where styles come from and where they run."""

    styles: Path | None = None
    """The folder of further styles, files ``.safetensors`` or ``.pth``. A style is called like its file."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """The device of the models: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. ``auto`` takes a GPU where there is one."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 3
    """The number of batches in hand: one is in the model, the others are on their way in and out."""
    codec_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """The number of threads that decode and encode images, per batch."""
    model_memory: Annotated[int, Field(ge=1)] | None = None
    """Megabytes that the model may take beside the frames; larger frames are painted in tiles. When unset, this is a
    quarter of the container's limit, or of the machine's or card's memory."""
