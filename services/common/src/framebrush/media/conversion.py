"""Converts sound to a codec that the output's container carries. It needs the extra ``framebrush[video]``."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, TypeAlias, cast

import av
from av.audio.codeccontext import AudioCodecContext
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Stream

from framebrush.media.tracks import Track, title_of

AnyPacket: TypeAlias = "Packet[Any]"

LAYOUTS = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1", "6.1", "7.1")
"""The customary layouts of one to eight channels, which encoders take: a film's may name the same ones otherwise."""
BITS_PER_SECOND = 96_000
"""The rate of a channel, for codecs that lose something."""
BLOCK = 4096
"""The samples of a packet of codecs that take any number."""
GAP = Fraction(1, 20)
"""The seconds by which sound may begin before or after the end of what came before: containers round their times."""


def is_convertible(stream: Stream) -> bool:
    """Return whether a stream is sound that can be converted: FFmpeg decodes it, and it has one to eight channels."""
    sound = cast(AudioStream, stream).codec_context if stream.type == "audio" else None
    return sound is not None and 0 < sound.channels <= len(LAYOUTS) and bool(sound.sample_rate)


def rate_for(source: Stream, encoder: str) -> int:
    """Return the samples per second that an encoder makes of a stream of sound: as many, or as few more as it takes.

    Args:
        source: The sound of the input.
        encoder: FFmpeg's name of the encoder.
    """
    rate = cast(AudioStream, source).sample_rate or 0
    rates = sorted(av.Codec(encoder, "w").audio_rates or [max(1, rate)])
    return next((each for each in rates if each >= rate), rates[-1])


class Conversion:
    """Decodes the packets of a stream of sound, and encodes it anew with its times."""

    def __init__(self, source: AudioStream, encoder: str, container: OutputContainer) -> None:
        """Add the stream to an output.

        Args:
            source: The sound of the input. It must not be decoded elsewhere meanwhile.
            encoder: FFmpeg's name of the encoder.
            container: The output, whose header is not written.

        Raises:
            ValueError: The stream cannot be converted.
        """
        if not is_convertible(source):
            raise ValueError(f"stream {source.index} cannot be converted")
        self._decoder = sound = source.codec_context
        if sound.is_open:
            sound.flush_buffers()  # An end of the film may have been decoded before.
        codec = av.Codec(encoder, "w")
        self._rate = rate_for(source, encoder)
        self.stream = cast(AudioStream, container.add_stream(encoder, rate=self._rate))
        self._encoder = _opened(self.stream.codec_context, sound, codec, self._rate)
        self.stream.metadata.update(source.metadata)
        if title := title_of(source):
            self.stream.metadata["title"] = title
        self.stream.disposition = source.disposition
        self._resampler, self._fifo = self._new_resampler(), AudioFifo()
        self._form: tuple[str, str, int] | None = None
        self._begin: Fraction | None = None
        self._end, self._first, self._read = Fraction(0), 0, 0

    def track(self) -> Track:
        """Return the track of the output's stream, still without packets."""
        track = Track.of(self.stream)
        track.time_base, track.converted = Fraction(1, self._rate), track.codec
        return track

    @property
    def heard(self) -> tuple[Fraction, Fraction] | None:
        """When the sound begins and ends, in seconds; None as long as nothing could be decoded."""
        return None if self._begin is None else (self._begin, self._end)

    def __call__(self, packet: AnyPacket) -> Iterator[AnyPacket]:
        """Yield the packets that come with the next one of the input."""
        if packet.size:
            for frame in self._decoded(packet):
                yield from self._placed(frame)

    def end(self) -> Iterator[AnyPacket]:
        """Yield the packets that are left at the end of the input."""
        for frame in self._decoded(None):
            yield from self._placed(frame)
        self._write(self._resampler.resample(None))
        yield from self._encoded(whole=False)
        yield from self._muxed(None)

    def _decoded(self, packet: "Packet[Any] | None") -> list[AudioFrame]:
        """Return the frames of a packet, none if it is damaged: what follows keeps its time."""
        try:
            return self._decoder.decode(packet)
        except av.InvalidDataError:
            return []

    def _placed(self, frame: AudioFrame) -> Iterator[AnyPacket]:
        """Write a frame where its time says, unless that is where the one before ends."""
        if not frame.samples or not frame.sample_rate:
            return
        begin = self._end if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
        if self._begin is None:
            self._begin = self._end = begin
            self._first = round(begin * self._rate)
        elif begin < self._end - GAP:
            return  # This has been heard.
        elif begin > self._end + GAP:
            yield from self._encoded(whole=False)
            self._first += round((begin - self._end) * self._rate)
            self._end = begin
        self._end += Fraction(frame.samples, frame.sample_rate)
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != (self._form or form):  # Broadcasts go from stereo to 5.1 and back.
            self._write(self._resampler.resample(None))
            self._resampler = self._new_resampler()
        self._form = form
        frame.pts = None  # The samples are counted.
        self._write(self._resampler.resample(frame))
        yield from self._encoded(whole=True)

    def _write(self, frames: Iterable[AudioFrame | None]) -> None:
        for frame in frames:
            if frame is not None:
                frame.pts, frame.time_base = None, Fraction(1, self._rate)
                self._fifo.write(frame)

    def _encoded(self, *, whole: bool) -> Iterator[AnyPacket]:
        """Encode what is there, only whole frames or all."""
        size = self._encoder.frame_size or BLOCK
        while (frame := self._fifo.read(size, partial=not whole)) is not None:
            frame.pts, frame.time_base = self._first + self._read, Fraction(1, self._rate)
            self._read += frame.samples
            yield from self._muxed(frame)

    def _muxed(self, frame: AudioFrame | None) -> Iterator[AnyPacket]:
        for packet in self._encoder.encode(frame):
            packet.stream = self.stream
            yield packet

    def _new_resampler(self) -> AudioResampler:
        return AudioResampler(self._encoder.format, self._encoder.layout, self._rate)


def _opened(context: AudioCodecContext, sound: AudioCodecContext, codec: av.Codec, rate: int) -> AudioCodecContext:
    """Set an encoder up for a sound, and open it."""
    formats = [each.name for each in codec.audio_formats or ()]
    deep = [name for name in formats if name.startswith(("s32", "flt"))]
    shallow = [name for name in formats if name.startswith("s16")]
    exact = sound.format is not None and sound.format.bits <= 16
    context.format = (shallow if exact and shallow else deep or formats)[0]
    context.layout = LAYOUTS[sound.channels - 1]
    context.time_base = Fraction(1, rate)
    context.bit_rate = BITS_PER_SECOND * sound.channels
    context.flags |= Flags.bitexact
    context.open(strict=False)
    return context
