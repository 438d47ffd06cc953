"""Settings of the stitcher."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from framebrush.settings import Settings


class StitcherSettings(Settings):
    """How segments are encoded, and what is left behind."""

    encoders: Annotated[int, Field(ge=1, le=64)] = 1
    """Segments encoded at a time, each with some 200 MB at 1280x720; further ones wait."""
    encode_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads of one encoder. The encoded bytes depend on the number, so it does not follow the machine."""
    decode_threads: Annotated[int, Field(ge=1, le=64)] = 2
    """Threads that decode JPEG, per segment."""
    keep_frames: bool = False
    """Keep frames, styled frames and encoded segments of runs that succeeded."""
    scratch: Path | None = None
    """Folder for the files of one message, the size of the output; the system's temporary folder when unset."""
