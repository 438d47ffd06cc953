"""Settings of the splitter."""

from typing import Annotated

from pydantic import BaseModel, Field

from framebrush.pictures import PictureSettings
from framebrush.service import Settings


class Limits(BaseModel):
    """The limits of the videos that an installation accepts."""

    max_pixels: Annotated[int, Field(ge=1)] = 7680 * 4320
    """The pixels that a frame may have."""
    max_duration: Annotated[float, Field(gt=0)] = 6 * 3600.0
    """The seconds that a video may last."""
    max_frames: Annotated[int, Field(ge=1)] = 2_000_000
    """The frames that a video may have."""
    max_run_pixels: Annotated[int, Field(ge=1)] = 10**13
    """The pixels that a run may have painted, in all frames and by all its models; a brush of half the size paints four
    times as many."""
    max_streams: Annotated[int, Field(ge=1, le=1000)] = 64
    """The streams that a file may have; FFmpeg reads at most 1000."""
    max_picture_pixels: Annotated[int, Field(ge=1)] = 100_000_000
    """The pixels that a style picture may have."""


MORE = r"^([a-z0-9][a-z0-9-]{1,61}[a-z0-9](,[a-z0-9][a-z0-9-]{1,61}[a-z0-9])*)?$"
"""The form of the names of containers with commas between them."""


class SplitterSettings(Limits, PictureSettings, Settings):
    """The settings of the splitter: what it accepts, and how long its segments are."""

    more_inputs: Annotated[str, Field(pattern=MORE)] = ""
    """The names of further containers of inputs, with commas between them: requests may name blobs of these."""
    more_outputs: Annotated[str, Field(pattern=MORE)] = ""
    """The names of further containers of outputs, with commas between them."""
    max_open_runs: Annotated[int, Field(ge=1)] | None = None
    """The runs that may be open at a time whose inputs are in the same container. None means any number."""
    max_plan_time: Annotated[float, Field(gt=0)] = 300.0
    """The seconds that reading all packets of a file may take, without the time of waiting for storage."""
    max_frame_time: Annotated[float, Field(gt=0)] = 60.0
    """The seconds that may pass from one frame to the next, without the time of waiting for storage."""
    decoder_memory: Annotated[int, Field(ge=256)] | None = None
    """The megabytes (10^6 bytes) that a process may take that opens a video; there is one for each message in hand. If
    unset, they are a quarter of the container's limit, or of the memory of the machine."""
    segment_frames: Annotated[int, Field(ge=1, le=999_999)] = 120
    """The frames that a segment has at least; it ends at the next keyframe. Segments are worked on in parallel."""
    chunk_frames: Annotated[int, Field(ge=1, le=999_999)] = 250
    """The frames that are encoded together, more or less; a longer segment is encoded in parts, in parallel."""
    window_batches: Annotated[int, Field(ge=1)] = 16
    """The score batches of one run that are in work at a time, more or less. The others wait, so that runs that come
    later do not wait for all of them. It should be twice what all scorers hold: half of it waits, and fills them."""
    nvenc: bool = False
    """Whether the stitchers have NVENC, so that runs may ask for it."""
    decode_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """The threads that turn the frames of one message into JPEG. One more thread decodes."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the containers from which runs may read."""
        return (self.input_container, *filter(None, self.more_inputs.split(",")))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return the containers into which runs may write."""
        return (self.output_container, *filter(None, self.more_outputs.split(",")))

    @property
    def limits(self) -> Limits:
        """Return the limits alone, without the settings that are secret."""
        return Limits.model_validate(self.model_dump(include=set(Limits.model_fields)))
