"""Looks at a bounded sample of an input and an output: pictures, a short preview of both, and their flicker.

It runs in the sandbox, since it opens a caller's file. A sample begins where a segment begins: there both files have a
keyframe, so that nothing before it needs to be decoded.
"""

import base64
import io
import math
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream
from pydantic import BaseModel

from framebrush.contracts import Manifest, Timeline, VideoProperties
from framebrush.media import BgrImage, Converter, choose_video, encode_jpeg, quarter_turns, styled
from framebrush.sandbox import SandboxedFile
from framebrush_stitcher.report.flicker import flicker, luma

PLACES = 6
"""The most places of the film that are looked at."""
WINDOW, PREVIEW = 16, 96
"""The frames looked at in each place, and those of the preview."""
SIDE = 320
"""The longer side of the preview and of the pictures, in pixels."""


class Place(BaseModel):
    """A frame before and after."""

    frame: int
    seconds: float
    before: str
    """JPEG in Base64."""
    after: str


class FlickerStep(BaseModel):
    """The flicker from the frame before to this frame; both values are None at a change of scenes."""

    frame: int
    seconds: float
    before: float | None
    after: float | None


class Samples(BaseModel):
    """What was seen of one output."""

    places: list[Place] = []
    failed: list[Place] = []
    flicker: list[FlickerStep] = []
    before: str = ""
    """The preview of the input: H.264 in MP4, in Base64."""
    after: str = ""
    preview_frames: int = 0
    width: int = 0
    height: int = 0


def sample(
    source: SandboxedFile,
    manifest: Manifest,
    timelines: Sequence[Path],
    output: Path,
    failed: Sequence[int],
    seconds: float,
    bitrate: int,
) -> Iterator[bytes]:
    """Yield a :class:`Samples` as JSON, once.

    Args:
        source: The input.
        manifest: The plan of the run.
        timelines: The files of the timelines of all chunks.
        output: The file of the output.
        failed: The numbers of frames of which pictures are wanted if they are among those that are looked at.
        seconds: The time after which no further place is looked at.
        bitrate: The bits per second of each preview.
    """
    end, found = time.monotonic() + seconds, Samples()
    with av.open(source, "r", metadata_errors="replace") as before, av.open(str(output)) as after:
        choice = manifest.options.choose(manifest.video.width, manifest.video.height)
        shown = styled(manifest.video, choice.pixel_format) if choice else manifest.video
        pair = [_Film(before.streams[manifest.video.stream], manifest.video), _Film(choose_video(after), shown)]
        places = _places(len(manifest.segments))
        firsts = list(accumulate((segment.frames for segment in manifest.segments), initial=0))
        chunks = list(accumulate(map(manifest.chunk_count, range(len(manifest.segments))), initial=0))
        longest = places[len(places) // 2]
        for place in [longest, *(each for each in places if each != longest)]:
            if found.places and time.monotonic() > end:
                break
            source.alive()
            timeline = Timeline.decode(timelines[chunks[place]].read_bytes())
            first, times = firsts[place], [t * Fraction(*manifest.video.time_base) for t in timeline.pts]
            count = PREVIEW if place == longest else WINDOW
            pictures = PLACES // len(places) if place == longest else 1
            frames = [film.frames(times[:count], end if place == longest else math.inf) for film in pair]
            _look(found, first, times, list(zip(*frames, strict=False)), set(failed), pictures)
            if place == longest:
                _preview(found, times, frames, bitrate)
    found.places.sort(key=lambda each: each.frame)
    found.flicker.sort(key=lambda each: each.frame)
    yield found.model_dump_json().encode()


def _places(segments: int) -> list[int]:
    """Return the numbers of segments that are spread evenly."""
    count = min(PLACES, segments)
    return [segment * segments // count for segment in range(count)]


class _Film:
    """A film of which some frames are read."""

    def __init__(self, stream: Any, video: VideoProperties) -> None:
        self._stream: VideoStream = stream
        self._video, self._converter, self._scaler = video, Converter(video), VideoReformatter()

    def frames(self, times: Sequence[Fraction], end: float) -> list[BgrImage]:
        """Return the frames at these times, in seconds, upright and small. They end early at the time ``end``."""
        container: Any = self._stream.container
        base = self._stream.time_base or Fraction(1)
        margin = base / 2 + Fraction(1, 2000)
        container.seek(math.floor(times[0] / base), stream=self._stream, backward=True)
        images = list[BgrImage]()
        for frame in container.decode(self._stream):
            moment = (frame.pts or 0) * base
            if moment < times[0] - margin:
                continue
            if moment > times[-1] + margin or (len(images) >= WINDOW and time.monotonic() > end):
                break
            images.append(self._small(frame))
            if len(images) == len(times):
                break
        return images

    def _small(self, frame: VideoFrame) -> BgrImage:
        wide = frame.width * float(Fraction(*(self._video.sample_aspect_ratio or (1, 1))) or 1)
        scale = min(1.0, SIDE / max(frame.height, wide))
        width, height = (max(2, round(side * scale / 2) * 2) for side in (wide, frame.height))
        # Scaling comes first: to convert all pixels would take most of the time.
        small = self._scaler.reformat(frame, width, height, interpolation=Interpolation.AREA, threads=1)
        return np.ascontiguousarray(np.rot90(self._converter.to_image(small), quarter_turns(self._video.rotation)))


def _look(
    found: Samples,
    first: int,
    times: Sequence[Fraction],
    pairs: Sequence[tuple[BgrImage, ...]],
    failed: set[int],
    pictures: int,
) -> None:
    """Add what a row of frames shows: some pictures, those of frames that failed, and the flicker."""
    if not pairs:
        return
    lumas = [tuple(luma(image) for image in pair) for pair in pairs]
    for number, (old, new) in enumerate(pairwise(lumas), 1):
        if len({image.shape for image in (*old, *new)}) == 1:
            step = flicker((old[0], new[0]), (old[1], new[1]))
            found.flicker.append(
                FlickerStep(frame=first + number, seconds=float(times[number]), before=step.before, after=step.after)
            )
    spread = sorted({len(pairs) * (2 * number + 1) // (2 * pictures) for number in range(pictures)})
    found.places.extend(_place(first, number, times, pairs) for number in spread)
    for number in range(len(pairs)):
        if first + number in failed and len(found.failed) < PLACES:
            found.failed.append(_place(first, number, times, pairs))


def _place(first: int, number: int, times: Sequence[Fraction], pairs: Sequence[tuple[BgrImage, ...]]) -> Place:
    before, after = (base64.b64encode(encode_jpeg(image, 70)).decode() for image in pairs[number])
    return Place(frame=first + number, seconds=float(times[number]), before=before, after=after)


def _preview(found: Samples, times: Sequence[Fraction], frames: Sequence[Sequence[BgrImage]], bitrate: int) -> None:
    count = min(map(len, frames))
    if count == 0:
        return
    height, width = frames[0][0].shape[:2]
    found.preview_frames, found.width, found.height = count, width, height
    found.before, found.after = (_film(images[:count], times, (width, height), bitrate) for images in frames)


def _film(images: Sequence[BgrImage], times: Sequence[Fraction], size: tuple[int, int], bitrate: int) -> str:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 90000)
        stream.codec_context.thread_count = 1
        limit = str(bitrate)
        stream.options = {"preset": "veryfast", "crf": "26", "maxrate": limit, "bufsize": limit}
        for image, moment in zip(images, times, strict=False):
            if image.shape[1::-1] != size:
                image = cv2.resize(image, size)  # type: ignore[assignment]
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = round((moment - times[0]) * 90000), Fraction(1, 90000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return base64.b64encode(buffer.getvalue()).decode()
