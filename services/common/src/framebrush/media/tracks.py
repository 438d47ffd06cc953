"""What is kept of a stream that is copied. It needs the extra ``framebrush[video]``."""

import hashlib
import re
from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

from av.packet import Packet
from av.stream import Disposition, Stream

from framebrush.media.naming import codec_name

COPIED = ("audio", "subtitle")
"""The types of streams whose packets go into the output as they are."""
HEADER = 8
"""The bytes of a frame of AAC that tell its size."""
PCS, END = 0x16, 0x80
"""The types of the segments of PGS that begin and end what is shown at a time."""


def is_framed(stream: Stream) -> bool:
    """Return whether packets of AAC begin with a header each (ADTS), as in broadcasts."""
    return codec_name(stream) == "aac" and not cast(Any, stream.codec_context).extradata


def configuration(packet: "Packet[Any]") -> int | None:
    """Return what the header of a frame of AAC says of profile, sample rate and channels; None if it is damaged."""
    header = bytes(memoryview(packet)[:HEADER])
    return (header[2] & 0xFD) << 8 | header[3] & 0xC0 if _header_size(header, packet.size) else None


def _header_size(header: bytes, size: int) -> int:
    """Return the bytes of the header of a frame of AAC (ISO/IEC 13818-7, 6.2); 0 if the frame is not whole.

    Args:
        header: The first bytes of the frame.
        size: The bytes of the whole frame.
    """
    if len(header) < HEADER or header[0] != 0xFF or header[1] & 0xF6 != 0xF0:
        return 0
    told = (header[3] & 3) << 11 | header[4] << 3 | header[5] >> 5
    return (7 if header[1] & 1 else 9) if told == size else 0


def title_of(stream: Stream) -> str:
    """Return what people call a track, which FFmpeg reads from MP4 and QuickTime by another name than it writes."""
    return stream.metadata.get("title") or stream.metadata.get("name", "")


def is_extra(stream: Stream) -> bool:
    """Return whether a stream is cover art or a font. It is kept if the output's container can carry it."""
    return stream.type == "attachment" or is_picture(stream)


def is_picture(stream: Stream) -> bool:
    """Return whether a stream is cover art."""
    return bool(stream.disposition & Disposition.attached_pic)


LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
"""What names a language, by ISO 639 or BCP 47. Some programs write question marks where they do not know it."""


@dataclass
class Track:
    """What is kept of a stream's packets, in the order in which they are stored.

    Muxers cut some codecs otherwise than the input's did, and take headers off that the container repeats. What must
    survive is what a decoder gets: see :meth:`add`.
    """

    kind: str
    codec: str
    time_base: Fraction
    language: str
    disposition: Disposition
    hashed: bool
    """Whether the packets of the output must be the same."""
    sample_bytes: int = 0
    """The bytes of a sample of all channels of PCM, 0 for what is not PCM."""
    rate: int = 0
    """The samples per second of sound."""
    channels: int = 0
    """The channels of sound."""
    title: str = ""
    """What people call it."""
    converted: str = ""
    """The codec that the output has instead, where its container carries none like this."""
    heard: tuple[Fraction, Fraction] | None = None
    """When sound that was decoded began and ended, in seconds; None where only its packets are known."""
    framed: bool = False
    """Whether packets of AAC begin with a header each (ADTS), as in broadcasts."""
    times: "array[int]" = field(default_factory=lambda: array("q"))
    """The presentation times, in ticks: of all packets, or of the parts of PCM, or of what PGS shows."""
    positions: "array[int]" = field(default_factory=lambda: array("q"))
    """Where what has these times is in the file, in bytes."""
    stored: int = 0
    """The number of packets or, of PCM, of samples."""
    digest: Any = field(default_factory=hashlib.sha256)
    """The SHA-256 over the lengths and contents of all packets, or over the contents if others may cut them."""
    skipped: Fraction = Fraction(0)
    """The seconds at the beginning that decoders leave out, since the encoder needed them to begin."""
    first: int = 0
    """The ticks that the first packet lasts; 0 if its container does not tell."""
    last: tuple[int, int] = (0, 0)
    """The time of the last packet, and the ticks that it lasts."""
    configurations: set[int] = field(default_factory=set)
    """What the headers of AAC say. Containers without such headers tell one configuration only."""
    _due: Fraction | None = None
    _open: bool = False
    _heard: bool = False

    @classmethod
    def of(cls, stream: Stream) -> "Track":
        """Return the track of a stream, still without packets."""
        language = stream.metadata.get("language", "und")
        language = language if LANGUAGE.fullmatch(language) else "und"
        hashed = stream.type in COPIED or is_picture(stream)
        codec, base, context = codec_name(stream), stream.time_base or Fraction(1), cast(Any, stream.codec_context)
        track = cls(stream.type, codec, base, language, stream.disposition, hashed, title=title_of(stream))
        if stream.type == "audio" and context is not None:
            track.rate, track.channels = context.sample_rate or 0, context.channels
            track.framed = is_framed(stream)
            if codec.startswith("pcm_") and track.rate:
                bits = re.search(r"\d+", codec)
                track.sample_bytes = (int(bits[0]) if bits else 8) // 8 * context.channels
        return track

    def keeps(self, packet: "Packet[Any]") -> bool:
        """Return whether a packet is there to be heard or read.

        A gap between texts is not, nor half of a frame of AAC, nor what an edit list cuts out. What it cuts off the
        beginning stays, since decoders need some of it.
        """
        if not packet.size or (packet.is_discard and self._heard):
            return False
        if self.framed:
            return _header_size(bytes(memoryview(packet)[:HEADER]), packet.size) > 0
        return not (self.codec == "mov_text" and bytes(packet)[:2] == b"\0\0")

    def add(self, packet: "Packet[Any]") -> None:
        """Add a packet to the times and the hash, in the form that is the same however it is cut.

        Of AAC that is the frame without its header; of PCM the samples, with a time for each part that does not follow
        the one before; of PGS the segments, with a time for all that is shown at once.
        """
        time = packet.pts if packet.pts is not None else packet.dts or 0
        if not self.hashed:
            self._time(time, packet)
            return
        data = bytes(packet)
        if self.sample_bytes:
            self._add_samples(data, time, packet)
        else:
            self._add_packet(data, time, packet)
        if self.rate:
            self.last = time, packet.duration or 0
            if not self._heard:
                self._begin(time, packet)
        self._heard = self._heard or not packet.is_discard

    def _add_packet(self, data: bytes, time: int, packet: "Packet[Any]") -> None:
        self.stored += 1
        if self.codec == "hdmv_pgs_subtitle":
            if data[0] == PCS or not self._open:
                self._time(time, packet)
            self._open = not data.endswith(bytes((END, 0, 0)))
        else:
            if self.framed:
                self.configurations.add((data[2] & 0xFD) << 8 | data[3] & 0xC0)
                data = data[7 if data[1] & 1 else 9 :]
            self._time(time, packet)
            self.digest.update(len(data).to_bytes(8, "big"))
        self.digest.update(data)

    def contents(self) -> str:
        """Return how much there is, and its hash, for people."""
        short = self.digest.hexdigest()[:16]
        if self.sample_bytes:
            return f"{self.stored} samples in {len(self.times)} parts ({short})"
        several = f", of {len(self.configurations)} kinds" if len(self.configurations) > 1 else ""
        return f"{len(self.times)} ({short}){several}"

    @property
    def length(self) -> int:
        """The ticks that a packet lasts."""
        return self.first or (self.times[1] - self.times[0] if len(self.times) > 1 else 0)

    def span(self) -> tuple[Fraction, Fraction]:
        """Return when sound begins and ends to be heard, in seconds."""
        if self.heard is not None or not self.times:
            return self.heard or (Fraction(0), Fraction(0))
        time, ticks = self.last
        return self.times[0] * self.time_base + self.skipped, (time + (ticks or self.length)) * self.time_base

    def _begin(self, time: int, packet: "Packet[Any]") -> None:
        """Note where sound begins to be heard: what an edit list or the encoder's delay cuts off is not."""
        if time == self.times[0]:
            self.first = packet.duration or 0
            if packet.has_sidedata("skip_samples"):
                data = bytes(packet.get_sidedata("skip_samples"))
                self.skipped = Fraction(int.from_bytes(data[:4], "little"), self.rate)
        if not packet.is_discard:
            self.skipped = max(self.skipped, (time - self.times[0]) * self.time_base)

    def _add_samples(self, data: bytes, time: int, packet: "Packet[Any]") -> None:
        seconds, count = time * self.time_base, len(data) // self.sample_bytes
        if self._due is None or abs(seconds - self._due) > max(2 * self.time_base, Fraction(1, 1000)):
            self._time(time, packet)
            self._due = seconds
        self._due += Fraction(count, self.rate)
        self.stored += count
        self.digest.update(data)

    def _time(self, time: int, packet: "Packet[Any]") -> None:
        self.times.append(time)
        where = packet.pos
        self.positions.append(where if where is not None else self.positions[-1] if self.positions else 0)
