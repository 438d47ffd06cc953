"""The form of an output: as requested if the input allows it; otherwise it is refused, or the next best is taken."""

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
from framebrush_splitter.dry_run import dry_run

Samples = Mapping[int, "Packet[Any]"]


class UnsupportedStream(PermanentError):
    """The requested output cannot carry a stream of the input."""

    reason = "unsupported_stream"


@dataclass(frozen=True, slots=True)
class Input:
    """What an output must carry."""

    video: VideoProperties
    copied: Sequence[Stream]
    """Streams whose packets go into the output as they are."""
    samples: Samples
    """One packet of each stream, by the index of the stream."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output that is possible."""

    options: Options
    suffix: str
    """The extension of its name, which tells its container."""
    note: str | None = None
    """What differs from the request, and why; None if nothing does."""


def plan_output(source: Input, options: Options, requested: str | None, *, nvenc: bool) -> Output:
    """Return the output as requested, or the next best one if ``options.fall_back`` is set.

    Args:
        source: What the output must carry.
        options: How the run wants it encoded.
        requested: The extension that the run asks for. If it is None, the first container of the codec is taken that
            carries everything.
        nvenc: Whether the installation has encoders on GPUs of NVIDIA.

    Raises:
        UnsupportedStream: The output is not possible; the text says why, and what would be possible.
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
    """Yield the options as they are, then options that differ more and more and are more and more likely to work."""
    yield options
    updates: list[dict[str, Any]] = [
        {"encoder": "software"},
        {"encoder": "software", "pixel_format": "auto", "bits": None},
        {"encoder": "software", "pixel_format": "auto", "bits": None, "codec": "h264", "crf": None},
    ]
    for update in updates:
        yield options.model_copy(update=update)


def _problem(source: Input, options: Options, suffix: str, *, nvenc: bool) -> str | None:
    """Return why the output is not possible, None if it is."""
    video = source.video
    if options.encoder == "nvenc" and not nvenc:
        return "this installation has no NVENC (FRAMEBRUSH_NVENC)"
    if options.choose(video.width, video.height) is None:
        return f"{options.codec} by {options.encoder} cannot be {video.width}x{video.height} in {options.pixel_format}"
    for stream in source.copied:
        if not carries(suffix, stream, source.samples):
            return f"{suffix} cannot carry the input's {stream.type} stream {stream.index} ({codec_name(stream)})"
    return options.unsuited(suffix) or dry_run(suffix, options, video)


def carries(suffix: str, stream: Stream, samples: Mapping[int, "Packet[Any]"]) -> bool:
    """Return whether a container can carry a stream.

    This is tried out, since what a muxer accepts depends on more than the codec.

    Args:
        suffix: The extension that tells the container.
        stream: The stream of the input.
        samples: A packet of each stream, by its index.
    """
    if isinstance(stream, AttachmentStream):
        return FORMATS[suffix] == "matroska"
    if codec_name(stream).startswith("pcm_") and FORMATS[suffix] == "mp4":
        return False  # FFmpeg writes it (ISO/IEC 23003-5); hardly any player reads it.
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
