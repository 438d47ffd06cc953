"""Settings of the splitter."""

from typing import Annotated

from pydantic import BaseModel, Field

from framebrush.service import Settings


class Limits(BaseModel):
    """What videos are accepted."""

    max_pixels: Annotated[int, Field(ge=1)] = 7680 * 4320
    """Largest frame, in pixels."""
    max_duration: Annotated[float, Field(gt=0)] = 6 * 3600.0
    """Longest video, in seconds."""
    max_frames: Annotated[int, Field(ge=1)] = 2_000_000
    """Most frames of a video."""
    max_streams: Annotated[int, Field(ge=1, le=1000)] = 64
    """Most streams of a file; FFmpeg knows no more than 1000."""


class SplitterSettings(Limits, Settings):
    """What the splitter accepts, and how finely it cuts."""

    max_plan_time: Annotated[float, Field(gt=0)] = 300.0
    """Seconds of work, in which storage is not waited for, to read all packets of a file."""
    max_frame_time: Annotated[float, Field(gt=0)] = 60.0
    """Seconds of work, in which storage is not waited for, from one frame to the next."""
    decoder_memory: Annotated[int, Field(ge=256)] | None = None
    """Megabytes that a process may take that opens a video: one for each message in hand. A quarter of the container's
    limit, or of the machine's memory, when unset."""
    segment_frames: Annotated[int, Field(ge=1, le=999_999)] = 120
    """Least frames of a segment, the unit of parallel decoding and encoding; it ends at the next keyframe."""
    nvenc: bool = False
    """Whether the stitchers have NVENC, so that runs may ask for it."""
    decode_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads that turn frames into JPEG, per message; one more decodes."""

    @property
    def limits(self) -> Limits:
        """The limits alone, without what is secret."""
        return Limits.model_validate(self.model_dump(include=set(Limits.model_fields)))
