"""Settings of the scorer."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from framebrush.service import Settings


class ScorerSettings(Settings):
    """Where styles come from and where they run."""

    styles: Path | None = None
    """Folder of further styles, ``.safetensors`` and ``.pth``; a style is called like its file."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 3
    """Batches in hand: one in the model, the others on their way in and out."""
    codec_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads that decode and encode JPEG, per batch."""
    model_memory: Annotated[int, Field(ge=1)] | None = None
    """Megabytes that the model may take beside the frames; larger frames are painted in tiles. A quarter of the
    container's limit, or of the machine's or card's memory, when unset."""
