"""Looks at a bounded sample of an input and an output: pictures, a short preview of both, and their flicker.

It runs in the sandbox, since the output holds sound and subtitles of a caller's file, and the frames its pictures.
"""

import base64
import io
import math
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from framebrush.contracts import FrameRange, Manifest, Timeline, VideoProperties
from framebrush.media import BgrImage, Converter, choose_video, encode_jpeg, quarter_turns, styled
from framebrush.sandbox import SandboxedFile
from framebrush_stitcher.report.flicker import flicker, luma
from framebrush_stitcher.report.looks import Look
from framebrush_stitcher.report.seen import FlickerStep, Place, Samples

SIDE = 320
"""The longer side of the preview and of the pictures, in pixels."""
REDUCED = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
"""How an image is decoded at a part of its size, which takes as small a part of the time."""
Images = Mapping[int, BgrImage]
"""Small, upright images of frames, by their numbers in the segment."""


def sample(
    source: SandboxedFile,
    manifest: Manifest,
    looks: Sequence[Look],
    timelines: Sequence[Path],
    output: Path,
    seconds: float,
    bitrate: int,
) -> Iterator[bytes]:
    """Yield a :class:`Samples` as JSON, once.

    Args:
        source: The frames of the input that are looked at, in the order of ``looks``, as the members of a tar file.
        manifest: The plan of the run.
        looks: What to look at.
        timelines: The files of the timelines of the chunks of ``looks``.
        output: The file of the output.
        seconds: The time after which no further chunk is looked at.
        bitrate: The bits per second of each preview.
    """
    end, found = time.monotonic() + seconds, Samples()
    firsts = list(accumulate((segment.frames for segment in manifest.segments), initial=0))
    whole = io.BufferedReader(source)  # It reads on until it has what was asked for.
    with tarfile.open(fileobj=whole, mode="r:") as members, av.open(str(output)) as container:
        choice = manifest.options.choose(manifest.video.width, manifest.video.height)
        shown = styled(manifest.video, choice.pixel_format) if choice else manifest.video
        film = _Film(choose_video(container), shown)
        for look, path in zip(looks, timelines, strict=True):
            if found.looked and time.monotonic() > end:
                found.cut_short = True
                break
            source.alive()
            first = manifest.chunk(look.segment, look.chunk).first
            pts = Timeline.decode(path.read_bytes()).pts
            times = {frame: pts[frame - first] * Fraction(*manifest.video.time_base) for frame in look.frames}
            images = (_originals(members, look.frames, manifest.video), film.frames(times, pts[0], manifest.video))
            _look(found, look, firsts[look.segment], times, images)
            if look.preview is not None:
                _preview(found, look.preview, firsts[look.segment], times, images, bitrate)
    for rows in (found.places, found.failed, found.flicker):
        rows.sort(key=lambda each: each.frame)
    found.looked.sort()
    yield found.model_dump_json().encode()


def _originals(members: tarfile.TarFile, frames: Sequence[int], video: VideoProperties) -> Images:
    """Return the next frames of the input that are there and can be decoded."""
    images = dict[int, BgrImage]()
    for frame in frames:
        member = members.next()
        content = members.extractfile(member) if member else None
        if member is None or content is None or int(member.name.partition(".")[0]) != frame:
            raise ValueError(f"expected the frame {frame}, got {member}")
        image = _decoded(content.read(), video)
        if image is not None:
            images[frame] = image
    return images


def _decoded(data: bytes, video: VideoProperties) -> BgrImage | None:
    """Return a small, upright image from JPEG or PNG; None if it is none."""
    if not data:
        return None
    width, height = _small_size(video.width, video.height, video)
    scale = min(video.width / width, video.height / height)
    flags = next((flag for part, flag in REDUCED.items() if part <= scale), cv2.IMREAD_COLOR)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    return None if image is None else _upright(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), video)


def _small_size(width: int, height: int, video: VideoProperties) -> tuple[int, int]:
    """Return the size of a frame before it is turned, as people see it and at most :data:`SIDE` long; it is even."""
    wide = width * float(Fraction(*(video.sample_aspect_ratio or (1, 1))) or 1)
    scale = min(1.0, SIDE / max(height, wide))
    return max(2, round(wide * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def _upright(image: Any, video: VideoProperties) -> BgrImage:
    return np.ascontiguousarray(np.rot90(image, quarter_turns(video.rotation)))


class _Film:
    """The output, of which some frames are read."""

    def __init__(self, stream: VideoStream, video: VideoProperties) -> None:
        self._stream, self._video = stream, video
        self._converter, self._scaler = Converter(video), VideoReformatter()

    def frames(self, times: Mapping[int, Fraction], first: int, video: VideoProperties) -> Images:
        """Return frames by their times in seconds; ``first`` is the time of the chunk's first frame, in ticks."""
        container: Any = self._stream.container
        base = self._stream.time_base or Fraction(1)
        margin = base / 2 + Fraction(1, 2000)
        wanted, images = list(times.items()), dict[int, BgrImage]()
        container.seek(math.floor(first * Fraction(*video.time_base) / base), stream=self._stream, backward=True)
        for frame in container.decode(self._stream):
            moment = (frame.pts or 0) * base
            while wanted and moment > wanted[0][1] + margin:
                wanted.pop(0)
            if not wanted:
                break
            if moment >= wanted[0][1] - margin:
                images[wanted.pop(0)[0]] = self._small(frame)
                if not wanted:
                    break
        return images

    def _small(self, frame: VideoFrame) -> BgrImage:
        width, height = _small_size(frame.width, frame.height, self._video)
        # Scaling comes first: to convert all pixels would take most of the time.
        small = self._scaler.reformat(frame, width, height, interpolation=Interpolation.AREA, threads=1)
        return _upright(self._converter.to_image(small), self._video)


def _look(
    found: Samples, look: Look, before: int, times: Mapping[int, Fraction], images: tuple[Images, Images]
) -> None:
    """Add what is seen in a chunk: some pictures, those of frames that failed, and the flicker."""
    originals, painted = images
    for row in look.rows:
        for frames in _rows(row, lambda frame: frame in originals and frame in painted):
            found.looked.append((before + frames[0], before + frames[-1]))
            pair = [[luma(each[frame]) for frame in frames] for each in images]
            if len({image.shape for each in pair for image in each}) == 1:
                for frame, step in zip(frames[1:], flicker(*pair), strict=True):
                    if step is not None:
                        at, found_there = before + frame, asdict(step)
                        found.flicker.append(FlickerStep(frame=at, seconds=float(times[frame]), **found_there))
    for frames_wanted, places in ((look.pictures, found.places), (look.failed, found.failed)):
        for frame in frames_wanted:
            if frame in painted and (frame in originals or places is found.failed):
                pictures = [_jpeg(each.get(frame)) for each in images]
                seconds = float(times[frame])
                places.append(Place(frame=before + frame, seconds=seconds, before=pictures[0], after=pictures[1]))


def _rows(frames: FrameRange, there: Any) -> Iterator[list[int]]:
    """Yield rows of consecutive frames that are there."""
    row = list[int]()
    for frame in range(frames.first, frames.stop):
        if there(frame):
            row.append(frame)
        elif row:
            yield row
            row = []
    if row:
        yield row


def _jpeg(image: BgrImage | None) -> str:
    return "" if image is None else base64.b64encode(encode_jpeg(image, 70)).decode()


def _preview(
    found: Samples,
    frames: FrameRange,
    before: int,
    times: Mapping[int, Fraction],
    images: tuple[Images, Images],
    bitrate: int,
) -> None:
    there = [f for f in range(frames.first, frames.stop) if f in images[0] and f in images[1]]
    if not there:
        return
    height, width = images[0][there[0]].shape[:2]
    found.preview_first, found.preview_frames, found.width, found.height = before + there[0], len(there), width, height
    moments = [times[frame] for frame in there]
    found.before, found.after = (
        _film([each[frame] for frame in there], moments, (width, height), bitrate) for each in images
    )


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
        for image, moment in zip(images, times, strict=True):
            if image.shape[1::-1] != size:
                image = cv2.resize(image, size)  # type: ignore[assignment]
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = round((moment - times[0]) * 90000), Fraction(1, 90000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return base64.b64encode(buffer.getvalue()).decode()
