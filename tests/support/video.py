"""Small synthetic videos, and what to compare of a video."""

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.frame import PictureType
from PIL import Image

from framebrush.media import CONVERSION


def picture(index: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """A smooth RGB picture (H, W, 3) with a moving light: no two indices look the same."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light = np.exp(-(((x - index * 5 % width) / width) ** 2 + (y / height - 0.5) ** 2) * 12)
    image = np.stack([40 + 120 * x / width + 60 * light, 40 + 120 * y / height + 60 * light, 60 + 90 * light], axis=-1)
    return (image + index % 8 * 4).astype(np.uint8)


def make_video(
    path: Path,
    *,
    size: tuple[int, int] = (64, 48),
    pts: Sequence[int] = tuple(range(0, 48 * 512, 512)),
    time_base: Fraction = Fraction(1, 12800),
    gop: int = 12,
    keyframes: Collection[int] = (),
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    audio: str | None = "aac",
    rotation: int = 0,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video whose frame times, keyframes (one in ``gop``, or those at ``keyframes``) and streams are known."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = *size, pixel_format
        stream.codec_context.time_base = stream.time_base = time_base
        stream.codec_context.gop_size = gop
        stream.codec_context.options = {
            "crf": "12",
            "preset": "ultrafast",
            "bf": "2",
            "forced-idr": "1",
            **(options or {}),
        }
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        sound: Any = container.add_stream(audio, rate=48000, layout="stereo") if audio else None
        for index, time in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(picture(index, *size), format="rgb24")
            frame.pts, frame.time_base = time, time_base
            if index in keyframes:
                frame.pict_type = PictureType.I
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            samples = int(float((pts[-1] - pts[0]) * time_base) * 48000) + 2048
            wave = (np.sin(np.arange(samples) / 20) * 8000).astype(np.int16)
            block = av.AudioFrame.from_ndarray(np.repeat(wave, 2)[None], format="s16", layout="stereo")
            block.sample_rate, block.pts = 48000, 0
            resampler = av.AudioResampler(format=sound.codec_context.format, layout="stereo", rate=48000)
            for part in resampler.resample(block):
                container.mux(sound.encode(part))
            container.mux(sound.encode(None))
    return path


@dataclass(frozen=True)
class MediaInfo:
    """What must survive a run."""

    times: tuple[Fraction, ...]
    """Presentation times of the video frames, in seconds."""
    copied: tuple[tuple[Fraction, Fraction, str], ...]
    """Times, durations and hashes of the audio and subtitle packets."""
    size: tuple[int, int]
    aspect: Fraction | None
    rotation: int
    colors: tuple[int, int, int]


def facts(video: Path | bytes) -> MediaInfo:
    """Read a video's facts, each stream by itself."""

    def opened() -> Any:
        return av.open(io.BytesIO(video) if isinstance(video, bytes) else str(video))

    with opened() as container:
        stream = container.streams.video[0]
        times = sorted(packet.pts * stream.time_base for packet in container.demux(stream) if packet.size)
    with opened() as container:
        others = [s for s in container.streams if s.type in ("audio", "subtitle")]
        copied = [
            (
                packet.pts * packet.time_base,
                packet.duration * packet.time_base,
                sha256(bytes(packet)).hexdigest(),
            )
            for packet in (container.demux(others) if others else ())
            if packet.size
        ]
    with opened() as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        return MediaInfo(
            times=tuple(times),
            copied=tuple(copied),
            size=(frame.width, frame.height),
            aspect=stream.sample_aspect_ratio,
            rotation=frame.rotation,
            colors=(frame.colorspace, frame.color_primaries, frame.color_trc),
        )


def frames(video: Path | bytes) -> list[npt.NDArray[np.uint8]]:
    """All frames as RGB (H, W, 3)."""
    with av.open(io.BytesIO(video) if isinstance(video, bytes) else str(video)) as container:
        return [frame.to_ndarray(format="rgb24", interpolation=CONVERSION) for frame in container.decode(video=0)]


def psnr(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB."""
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def painting(seed: int = 0) -> bytes:
    """A style picture: 96x64, PNG, of large squares in random colours."""
    squares = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(squares).resize((96, 64), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()
