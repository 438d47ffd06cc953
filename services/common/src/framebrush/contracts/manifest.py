"""The plan of a run: the manifest, which is written once, and its parts."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from framebrush.contracts.document import BlobRef, Count, Document, FrameRange, Index, Model, ModelName, RunId
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
    """The frames with ``start <= pts < end``, in ticks of the video's time base: what is decoded together."""

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

    version: Literal[1, 2, 3, 4, 5, 6] = 1  # type: ignore[assignment]  # wider than the base's
    """It is 2 where times are moved, 3 where a segment has several chunks, 4 where sound is converted or where not all
    segments are handed out at once, 5 where there may be captions that go into the output, and 6 where the run says
    whether there are brush strokes. A reader of an earlier release would leave times as they are, encode a segment
    whole, leave the sound out, never hand out the rest, lose the captions, or paint as the style has it, and must
    refuse."""

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
    converted_streams: Annotated[tuple[Index, ...], Field(exclude_if=lambda streams: not streams)] = ()
    """The indices of the input's streams of sound that are converted, since the output's container carries none like
    them."""
    captions: Annotated[bool, Field(exclude_if=lambda captions: not captions)] = False
    """Whether closed captions are looked for in the pictures: they go into the output, or a note tells that it lacks
    them."""
    duration: float
    """The duration of the video, in seconds."""
    pack_frames: Annotated[int, Field(ge=1, le=64)]
    batch_frames: Annotated[int, Field(ge=1, le=64)]
    segments: Annotated[tuple[Segment, ...], Field(min_length=1)]
    chunk_frames: Annotated[Count | None, Field(exclude_if=lambda frames: frames is None)] = None
    """The number of frames of a chunk, which is encoded by itself. It is None where each segment is one chunk."""
    window: Annotated[Count | None, Field(exclude_if=lambda window: window is None)] = None
    """The number of segments that are in work at a time. When the last chunk of a segment is scored, the segment so
    many places behind it is handed out. It is None where all segments are handed out at once."""
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
    def first_segments(self) -> range:
        """Return the numbers of the segments that are handed out when the run is planned."""
        return range(min(len(self.segments), self.window or len(self.segments)))

    def segment_after(self, segment: int, chunk: int) -> int | None:
        """Return the segment to hand out once a chunk is scored; None if nothing follows from it.

        Raises:
            InvalidMessage: The run has no such segment.
        """
        if self.window is None or chunk + 1 < self.chunk_count(segment):
            return None
        following = segment + self.window
        return following if following < len(self.segments) else None

    def chunk_count(self, segment: int) -> int:
        """Return the number of chunks of a segment: the last one has half as many frames as others, up to 1.5 times.

        Raises:
            InvalidMessage: The run has no such segment.
        """
        frames = self.segment(segment).frames
        size = self.chunk_frames or frames
        return max(1, (frames + size // 2) // size)

    def chunk(self, segment: int, number: int) -> FrameRange:
        """Return the frames of a chunk, by its number in its segment, from 0.

        Raises:
            InvalidMessage: The run has no such segment, or the segment has no such chunk.
        """
        count, frames = self.chunk_count(segment), self.segment(segment).frames
        if number >= count:
            raise InvalidMessage(f"chunk: segment {segment} has {count}, numbered from 0, not {number}")
        size = self.chunk_frames or frames
        first = number * size
        return FrameRange(first=first, count=frames - first if number + 1 == count else size)

    def chunk_at(self, segment: int, frame: int) -> int:
        """Return the number of the chunk that has a frame of a segment.

        Raises:
            InvalidMessage: The run has no such segment.
        """
        return min(frame // (self.chunk_frames or self.segment(segment).frames), self.chunk_count(segment) - 1)

    @property
    def chunks(self) -> Iterator[tuple[int, int]]:
        """Yield all chunks in order, each as the number of its segment and its own number there."""
        for segment in range(len(self.segments)):
            for number in range(self.chunk_count(segment)):
                yield segment, number

    @model_validator(mode="after")
    def _whole_packs(self) -> Self:
        if self.chunk_frames is not None and self.chunk_frames % self.pack_frames:
            raise ValueError("chunk_frames: must be whole packs")
        return self

    @property
    def renditions(self) -> tuple[Rendition, ...]:
        """Return the outputs in the order in which every stage makes them: once the last is there, all are."""
        models = (self.model, *self.options.more_models)
        outputs = (self.output, *self.more_outputs)
        made = zip(models, outputs, strict=True)
        return tuple(Rendition(number=n, model=model, output=output) for n, (model, output) in enumerate(made))
