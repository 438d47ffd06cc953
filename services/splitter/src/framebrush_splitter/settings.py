"""Settings of the splitter."""

from typing import Annotated

from pydantic import Field

from framebrush.settings import Settings


class SplitterSettings(Settings):
    """What the splitter accepts, and how finely it cuts."""

    max_pixels: Annotated[int, Field(ge=1)] = 7680 * 4320
    """Largest frame, in pixels."""
    max_duration: Annotated[float, Field(gt=0)] = 6 * 3600.0
    """Longest video, in seconds."""
    max_frames: Annotated[int, Field(ge=1)] = 2_000_000
    """Most frames of a video."""
    segment_frames: Annotated[int, Field(ge=1, le=999_999)] = 120
    """Least frames of a segment, the unit of parallel decoding and encoding; it ends at the next keyframe."""
    nvenc: bool = False
    """Whether the stitchers have NVENC, so that runs may ask for it."""
    decode_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads that turn frames into JPEG, per message."""
