"""What a run's output becomes: as requested if this input allows it; else it is refused, or the next best."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import av
from av.packet import Packet
from av.stream import AttachmentStream, Stream

from framebrush.contracts import CONTAINERS, FORMATS, Options, VideoProperties
from framebrush.errors import PermanentError
from framebrush.media import codec_name
from framebrush_splitter.rehearsal import rehearse

Samples = Mapping[int, "Packet[Any]"]


class UnsupportedStream(PermanentError):
    """The requested output cannot carry a stream of the input."""

    reason = "unsupported_stream"


@dataclass(frozen=True, slots=True)
class Input:
    """What must fit into the output."""

    video: VideoProperties
    copied: Sequence[Stream]
    """Streams whose packets go into the output as they are."""
    samples: Samples
    """A packet of each, by the stream's index."""


@dataclass(frozen=True, slots=True)
class Output:
    """What can be."""

    options: Options
    suffix: str
    """The extension of its name, which is its container."""
    note: str | None = None
    """What was changed, and why."""


def plan_output(source: Input, options: Options, requested: str | None, *, nvenc: bool) -> Output:
    """The output as requested, or with ``options.fall_back`` the next best.

    Args:
        source: what goes into it.
        options: how the run wants it encoded.
        requested: an extension, if the run names one; else the codec's first container that carries everything.
        nvenc: whether the installation has encoders on NVIDIA's GPUs.

    Raises:
        UnsupportedStream: it cannot be; says why, and what could.
    """
    first: str | None = None
    for suffix in (requested,) if requested else CONTAINERS[options.codec]:
        problem = _problem(source, options, suffix, nvenc=nvenc)
        if problem is None:
            return Output(options, suffix)
        first = first or problem
    for other in _variants(options):
        fitting = [each for each in CONTAINERS[other.codec] if not _problem(source, other, each, nvenc=nvenc)]
        if fitting:
            how = "" if other is options else f" as {other.codec}, {other.pixel_format}, by {other.encoder}"
            if not options.fall_back:
                raise UnsupportedStream(f"{first}; it would fit into {', '.join(fitting)}{how}")
            suffix = requested if requested in fitting else fitting[0]
            return Output(other, suffix, f"{first}: the output is {suffix}{how}")
    raise UnsupportedStream(str(first))


def _variants(options: Options) -> Iterator[Options]:
    """The same, and what is more and more unlike it, but more and more likely to work."""
    yield options
    updates: list[dict[str, Any]] = [
        {"encoder": "software"},
        {"encoder": "software", "pixel_format": "auto", "bits": None},
        {"encoder": "software", "pixel_format": "auto", "bits": None, "codec": "h264", "crf": None},
    ]
    for update in updates:
        yield options.model_copy(update=update)


def _problem(source: Input, options: Options, suffix: str, *, nvenc: bool) -> str | None:
    """Why the output cannot be so; None if it can."""
    video = source.video
    if options.encoder == "nvenc" and not nvenc:
        return "this installation has no NVENC (FRAMEBRUSH_NVENC)"
    if options.choose(video.width, video.height) is None:
        return f"{options.codec} by {options.encoder} cannot be {video.width}x{video.height} in {options.pixel_format}"
    for stream in source.copied:
        if not carries(suffix, stream, source.samples):
            return f"{suffix} cannot carry the input's {stream.type} stream {stream.index} ({codec_name(stream)})"
    return options.unsuited(suffix) or rehearse(suffix, options, video)


def carries(suffix: str, stream: Stream, samples: Mapping[int, "Packet[Any]"]) -> bool:
    """Whether a container can carry a stream. Tried out: what a muxer accepts depends on more than the codec."""
    if isinstance(stream, AttachmentStream):
        return FORMATS[suffix] == "matroska"
    try:
        with av.open(io.BytesIO(), "w", format=FORMATS[suffix]) as container:
            copy = container.add_stream_from_template(stream, opaque=True)
            copy.disposition = stream.disposition
            if stream.index in samples:
                container.mux(_copy(samples[stream.index], copy))
            else:
                container.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    return True


def _copy(packet: "Packet[Any]", stream: Stream) -> "Packet[Any]":
    copy: Packet[Any] = Packet(bytes(packet))
    copy.stream, copy.time_base = stream, packet.time_base
    copy.pts = copy.dts = 0
    copy.duration = packet.duration
    copy.is_keyframe = True
    return copy
