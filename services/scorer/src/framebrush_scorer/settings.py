"""Settings of the scorer, and of the learner, which has the same code and image."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from framebrush.pictures import PictureSettings
from framebrush.service import Settings, cores

GPU = Path("/dev/nvidiactl")
"""What a machine or container has that has a GPU of NVIDIA. To ask CUDA would take seconds."""


def slots(count: int) -> int:
    """Return how many batches a scorer should have in hand that has a GPU and so many cores.

    While the GPU works on one, the cores work on as many further ones, and one is on its way.
    """
    return max(3, min(8, count + 2))


class DeviceSettings(PictureSettings, Settings):
    """What scorer and learner share beside the settings of every service."""

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    """The device of the models: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. ``auto`` takes a GPU where there is one."""


class ScorerSettings(DeviceSettings):
    """The settings of the scorer: where styles come from, and how many batches are in hand."""

    styles: Path | None = None
    """The folder of further styles, files ``.safetensors`` or ``.pth``. A style is called like its file."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 3
    """The number of batches in hand. On a CPU, where the model and the images take turns with the cores, one is at
    work, one on its way in, one on its way out. With a GPU the default is :func:`slots` of the cores."""
    codec_threads: Annotated[int, Field(ge=1, le=64)] | None = None
    """The number of threads that decode and encode images, of all batches together; one for each core when unset."""
    model_memory: Annotated[int, Field(ge=1)] | None = None
    """Megabytes that the model may take beside the frames; larger frames are painted in tiles. When unset, this is a
    quarter of the container's limit, or of the machine's or card's memory."""

    @model_validator(mode="before")
    @classmethod
    def _keep_the_gpu_busy(cls, values: dict[str, Any]) -> dict[str, Any]:
        if values.get("device") == "cpu" or not GPU.exists():
            return values
        return {"concurrency": slots(cores()), **values}


class LearnerSettings(DeviceSettings):
    """The settings of the learner: how long it works on a message, and what it accepts."""

    learn_turn: Annotated[float, Field(gt=0)] = 120.0
    """The seconds for which a message goes on with a learning job; then it sends the next one, and is done."""
    learn_save_every: Annotated[float, Field(gt=0)] = 30.0
    """The seconds between two checkpoints of a learning job in Blob, each with its progress and a preview."""
    decoder_memory: Annotated[int, Field(ge=256)] | None = None
    """The megabytes (10^6 bytes) that the process may take that opens pictures and films. If unset, they are a quarter
    of the container's limit, or of the memory of the machine."""
    max_frame_time: Annotated[float, Field(gt=0)] = 60.0
    """The seconds that may pass from one frame to the next, without the time of waiting for storage."""
    max_picture_pixels: Annotated[int, Field(ge=1)] = 100_000_000
    """The pixels that the picture, or a frame of what is learned on, may have."""
