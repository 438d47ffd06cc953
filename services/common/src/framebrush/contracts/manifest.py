"""The plan of a run: the manifest, which is written once, and its parts."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from framebrush.contracts.document import BlobRef, Count, Document, Index, Model, ModelName, RunId
from framebrush.contracts.pictures import PictureStyle
from framebrush.contracts.requests import Options
from framebrush.contracts.styles import PinnedStyle
from framebrush.errors import InvalidMessage

Rational = tuple[int, Annotated[int, Field(ge=1)]]
"""A fraction: the numerator and the denominator."""


class Source(Model):
    """The input blob, pinned to the content that was planned."""

    blob: BlobRef
    etag: str
    size: Annotated[int, Field(ge=0)]
    """The size of the blob, in bytes."""


class VideoProperties(Model):
    """The properties of the video stream that is styled, which the output must have, too."""

    stream: Index
    """The index of the stream in the input's container."""
    codec: str
    width: Count
    height: Count
    pixel_format: str
    time_base: Rational
    frame_rate: Rational | None
    """The average rate in frames per second. It is a hint for the encoder's rate control; times never come from it."""
    sample_aspect_ratio: Rational | None
    rotation: tuple[int, ...] | None
    """The display matrix: nine numbers in 16.16 and 2.30 fixed point (ISO/IEC 14496-12, 6.2.2)."""
    color_range: int
    color_primaries: int
    color_trc: int
    color_space: int
    """The last three fields are code points of ITU-T H.273, where 2 is unspecified. The range is 0 if unspecified, 1 if
    limited and 2 if full."""


class Segment(Model):
    """The frames with ``start <= pts < end``, in ticks of the video's time base."""

    start: int
    end: int
    frames: Count
    """The number of frames as counted in the packets. The frames that decode are in the segment's :class:`Timeline`."""
    position: Annotated[int | None, Field(ge=0, exclude_if=lambda position: position is None)] = None
    """The offset in the file of the packet where decoding can begin, if the file's times do not lead there."""


class Shift(Model):
    """By how much the times of a file are moved, from a position on until the next shift."""

    position: Annotated[int, Field(ge=0)]
    """The offset in the file, in bytes."""
    ticks: int
    """What is added to a time, in ticks of the video's time base."""


class Rendition(Model):
    """One of a run's outputs."""

    number: Index
    model: ModelName
    output: BlobRef


class Manifest(Document):
    """The plan of a run. It is written once, and every stage reads it."""

    version: Literal[1, 2] = 1  # type: ignore[assignment]  # wider than the base's
    """It is 2 where times are moved: a reader of an earlier release would leave them as they are, and must refuse."""

    run_id: RunId
    created: datetime
    source: Source
    model: ModelName
    options: Options
    output: BlobRef
    more_outputs: tuple[BlobRef, ...] = ()
    """The outputs of ``options.more_models``, in the same order."""
    video: VideoProperties
    copied_streams: tuple[Index, ...]
    """The indices of the input's streams that go untouched into the output: audio, subtitles, cover art and fonts."""
    duration: float
    """The duration of the video, in seconds."""
    pack_frames: Annotated[int, Field(ge=1, le=64)]
    batch_frames: Annotated[int, Field(ge=1, le=64)]
    segments: Annotated[tuple[Segment, ...], Field(min_length=1)]
    style: Annotated[PictureStyle | None, Field(exclude_if=lambda style: style is None)] = None
    """What the model ``picture`` paints like. It is None in a run without style pictures."""
    shifts: Annotated[tuple[Shift, ...], Field(exclude_if=lambda shifts: not shifts)] = ()
    """By how much the times of the input's packets are moved. It is empty where the times stand as they are."""
    styles: dict[ModelName, PinnedStyle] = Field(default_factory=dict, exclude_if=lambda styles: not styles)
    """The models of the run that are styles of the library, by their names."""
    notes: tuple[str, ...] = ()
    """One line for each thing of the input that cannot be kept, with the reason."""

    @property
    def frames(self) -> int:
        """Return the number of frames in the whole video."""
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
        """Return the outputs in the order in which every stage makes them: once the last is there, all are."""
        models = (self.model, *self.options.more_models)
        outputs = (self.output, *self.more_outputs)
        made = zip(models, outputs, strict=True)
        return tuple(Rendition(number=n, model=model, output=output) for n, (model, output) in enumerate(made))
