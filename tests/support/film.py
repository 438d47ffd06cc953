"""Synthetic films with any number of streams, of which everything is known."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

from framebrush.media import open_encoder
from support.video import picture

TICKS = Fraction(1, 12800)
"""The time base of a film that asks for no other; 512 of them are a frame at 25 frames/s."""


@dataclass(frozen=True)
class Sound:
    """A tone."""

    codec: str = "aac"
    layout: str = "stereo"
    rate: int = 48000
    start: float = 0.0
    """Seconds."""
    seconds: float = 1.0
    language: str | None = None
    disposition: Disposition | None = None
    title: str | None = None


@dataclass(frozen=True)
class Text:
    """Subtitles: packets as they are stored, no encoder needed."""

    codec: str
    packets: tuple[bytes, ...]
    language: str | None = None
    disposition: Disposition | None = None
    title: str | None = None
    header: bytes | None = None
    time_base: Fraction = Fraction(1, 1000)


@dataclass(frozen=True)
class Film:
    """What is written; the defaults are half a second of H.264 at 64x48 with stereo sound."""

    size: tuple[int, int] = (64, 48)
    pts: Sequence[int] = tuple(range(0, 24 * 512, 512))
    time_base: Fraction = TICKS
    rate: Fraction = Fraction(25)
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    gop: int = 6
    options: dict[str, str] = field(default_factory=dict)
    tags: dict[str, int] = field(default_factory=dict)
    """Colour tags, by the names of PyAV's codec context."""
    aspect: Fraction | None = None
    matrix: tuple[int, ...] | None = None
    sounds: tuple[Sound, ...] = (Sound(),)
    texts: tuple[Text, ...] = ()
    fonts: tuple[str, ...] = ()
    chapters: tuple[tuple[float, float, str], ...] = ()
    metadata: dict[str, str] = field(default_factory=dict)
    timecode: str | None = None
    """Of the first frame, as cameras and editors write it."""
    muxer: dict[str, str] = field(default_factory=dict)
    format: str | None = None

    def write(self, path: Path) -> Path:
        """Encode and mux."""
        with av.open(str(path), "w", format=self.format, options=self.muxer) as container:
            video = self._video(container)
            sounds = [(_sound(container, sound), sound) for sound in self.sounds]
            texts = [(_text(container, text), text) for text in self.texts]
            for font in self.fonts:
                container.add_attachment(font, "font/ttf", font.encode() * 100)
            container.metadata.update(self.metadata)
            if self.chapters:
                container.set_chapters([_chapter(number, *chapter) for number, chapter in enumerate(self.chapters)])
            for frame in self.frames():
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            for stream, sound in sounds:
                _tone(container, stream, sound)
            for stream, text in texts:
                for number, data in enumerate(text.packets):
                    container.mux(_packet(stream, data, number * 400, 300))
        return path

    def frames(self) -> Iterator[av.VideoFrame]:
        """The pictures, in the film's pixel format, with their times."""
        for index, time in enumerate(self.pts):
            frame = av.VideoFrame.from_ndarray(picture(index, *self.size), format="rgb24")
            frame = frame.reformat(
                format=self.pixel_format,
                dst_colorspace=self.tags.get("colorspace") if self.tags.get("colorspace") in (1, 5, 6, 9) else None,
                dst_color_range=self.tags.get("color_range") or None,
            )
            frame.pts, frame.time_base = time, self.time_base
            yield frame

    def _video(self, container: Any) -> Any:
        stream = container.add_stream(self.codec, rate=self.rate)
        context = stream.codec_context
        stream.width, stream.height, stream.pix_fmt = *self.size, self.pixel_format
        context.time_base = stream.time_base = self.time_base
        context.gop_size = self.gop
        defaults = {"crf": "4", "preset": "ultrafast", "bf": "2"} if self.codec == "libx264" else {}
        context.options = {**defaults, **self.options}
        for name, value in self.tags.items():
            setattr(context, name, value)
        if self.aspect is not None:
            context.sample_aspect_ratio = self.aspect
        if self.timecode is not None:
            stream.metadata["timecode"] = self.timecode
        if self.matrix is not None:
            stream.set_display_matrix(self.matrix)
        open_encoder(context)
        return stream


def _chapter(number: int, start: float, end: float, title: str) -> Any:
    times = {"start": round(start * 1000), "end": round(end * 1000), "time_base": Fraction(1, 1000)}
    return {"id": number, **times, "metadata": {"title": title}}


def _describe(stream: Any, of: Sound | Text) -> None:
    if of.language:
        stream.metadata["language"] = of.language
    if of.title:
        stream.metadata["title"] = of.title
    if of.disposition is not None:
        stream.disposition = of.disposition


def _sound(container: Any, sound: Sound) -> Any:
    stream = container.add_stream(sound.codec, rate=sound.rate, layout=sound.layout)
    stream.codec_context.options = {"strict": "experimental"}
    stream.bit_rate = 128_000  # of those that have no default
    _describe(stream, sound)
    return stream


def _tone(container: Any, stream: Any, sound: Sound) -> None:
    channels = len(av.AudioLayout(sound.layout).channels)
    wave = (np.sin(np.arange(int(sound.seconds * sound.rate)) / 20) * 8000).astype(np.int16)
    block = av.AudioFrame.from_ndarray(np.repeat(wave, channels)[None], format="s16", layout=sound.layout)
    block.sample_rate, block.pts, block.time_base = sound.rate, round(sound.start * sound.rate), Fraction(1, sound.rate)
    context = stream.codec_context
    for part in av.AudioResampler(context.format, sound.layout, sound.rate, context.frame_size or 1024).resample(block):
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def _text(container: Any, text: Text) -> Any:
    stream = container.add_mux_stream(text.codec) if text.header is None else container.add_stream(text.codec)
    if text.header is not None:
        stream.codec_context.subtitle_header = text.header
    stream.time_base = text.time_base
    _describe(stream, text)
    return stream


def _packet(stream: Any, data: bytes, start: int, duration: int) -> av.Packet:
    packet = av.Packet(data)
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts = packet.dts = start
    packet.duration = duration
    packet.is_keyframe = True
    return packet
