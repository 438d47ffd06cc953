"""What a run is (manifest, written once), how it stands (status), and what its stages recorded."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from framebrush.contracts.document import BlobRef, Count, Document, Index, Model, ModelName, RunId
from framebrush.contracts.requests import Options
from framebrush.errors import InvalidMessage

Rational = tuple[int, Annotated[int, Field(ge=1)]]
"""Numerator and denominator."""


class Source(Model):
    """The input blob, pinned to the content that was planned."""

    blob: BlobRef
    etag: str
    size: Annotated[int, Field(ge=0)]
    """Bytes."""


class VideoProperties(Model):
    """The video stream that is styled; what must come back unchanged."""

    stream: Index
    """Index in the input container."""
    codec: str
    width: Count
    height: Count
    pixel_format: str
    time_base: Rational
    frame_rate: Rational | None
    """Average, frames per second; a hint for the encoder's rate control, never a source of times."""
    sample_aspect_ratio: Rational | None
    rotation: tuple[int, ...] | None
    """Display matrix: nine numbers in 16.16 and 2.30 fixed point (ISO/IEC 14496-12, 6.2.2)."""
    color_range: int
    color_primaries: int
    color_trc: int
    color_space: int
    """ITU-T H.273 code points; 2 is unspecified. The range: 0 unspecified, 1 limited, 2 full."""


class Segment(Model):
    """The frames with ``start <= pts < end``, in ticks of the video's time base."""

    start: int
    end: int
    frames: Count
    """As counted in the packets; what decodes is in the segment's :class:`Timeline`."""


class Rendition(Model):
    """One of a run's outputs."""

    number: Index
    model: ModelName
    output: BlobRef


class Manifest(Document):
    """The plan of a run. Written once; every stage reads it."""

    run_id: RunId
    created: datetime
    source: Source
    model: ModelName
    options: Options
    output: BlobRef
    more_outputs: tuple[BlobRef, ...] = ()
    """Of ``options.more_models``."""
    video: VideoProperties
    copied_streams: tuple[Index, ...]
    """Audio and subtitle streams of the input container, cover art and fonts, that go untouched into the output."""
    duration: float
    """Seconds."""
    pack_frames: Annotated[int, Field(ge=1, le=64)]
    batch_frames: Annotated[int, Field(ge=1, le=64)]
    segments: Annotated[tuple[Segment, ...], Field(min_length=1)]
    notes: tuple[str, ...] = ()
    """What cannot be kept of the input, and why; a line each."""

    @property
    def frames(self) -> int:
        """Frames in the whole video."""
        return sum(segment.frames for segment in self.segments)

    def segment(self, number: int) -> Segment:
        """Return a segment by its number, from 0.

        Raises:
            InvalidMessage: The run has no such segment, so a message that names it is not of this run.
        """
        if number >= len(self.segments):
            raise InvalidMessage(f"segment: run {self.run_id} has {len(self.segments)}, numbered from 0, not {number}")
        return self.segments[number]

    @property
    def renditions(self) -> tuple[Rendition, ...]:
        """What the run makes, in the order in which every stage makes it: once the last is there, all are."""
        models = (self.model, *self.options.more_models)
        outputs = (self.output, *self.more_outputs)
        made = zip(models, outputs, strict=True)
        return tuple(Rendition(number=n, model=model, output=output) for n, (model, output) in enumerate(made))
