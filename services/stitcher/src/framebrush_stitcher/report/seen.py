"""What a sample of an output has shown."""

from pydantic import BaseModel

from framebrush_stitcher.report.flicker import Change


class Place(BaseModel):
    """A frame before and after."""

    frame: int
    """The number of the frame in the whole film, from 0."""
    seconds: float
    before: str
    """JPEG in Base64; empty if the frame of the input could not be decoded."""
    after: str


class FlickerStep(BaseModel):
    """The flicker from the frame before to this frame; both values are None where the scene or its light changes."""

    frame: int
    seconds: float
    before: float | None
    after: float | None
    change: Change | None = None


class Samples(BaseModel):
    """What was seen of one output."""

    problem: str = ""
    """Why nothing was, in a line for a person."""
    places: list[Place] = []
    failed: list[Place] = []
    """Frames that are not painted."""
    flicker: list[FlickerStep] = []
    looked: list[tuple[int, int]] = []
    """The first and the last frame of each row of frames that was looked at."""
    cut_short: bool = False
    """Whether the time for it was up before all places were looked at."""
    before: str = ""
    """The preview of the input: H.264 in MP4, in Base64."""
    after: str = ""
    preview_first: int = 0
    preview_frames: int = 0
    width: int = 0
    height: int = 0
