"""The form of an output: as requested if the input allows it; otherwise it is refused, or the next best is taken."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import av
from av.stream import AttachmentStream, Stream

from framebrush.contracts import CONTAINERS, FORMATS, Options, VideoProperties
from framebrush.errors import PermanentError
from framebrush.media import Track, add_untouched, codec_name, is_extra, quoted
from framebrush_splitter.dry_run import Film, dry_run
from framebrush_splitter.edges import AnyPacket, Edges


class UnsupportedStream(PermanentError):
    """The requested output cannot carry a stream of the input."""

    reason = "unsupported_stream"


@dataclass(frozen=True, slots=True)
class Input:
    """What an output must carry."""

    video: VideoProperties
    copied: Sequence[Stream]
    """Streams whose packets go into the output as they are."""
    film: Film
    """Their packets, and the frames' times."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output that is possible."""

    options: Options
    suffix: str
    """The extension of its name, which tells its container."""
    copied: Sequence[Stream]
    """The streams that it carries."""
    note: str | None = None
    """What differs from the request, and why; None if nothing does."""


def plan_output(source: Input, options: Options, requested: str | None, *, nvenc: bool) -> Output:
    """Return the output as requested, or the next best one if ``options.fall_back`` is set.

    Streams that do not fit together into any container of the codec are left out, as few as possible and never all of
    the sound, unless ``options.streams`` is ``strict``.

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
    name = quoted(source.film.container.name)
    suffixes = (requested,) if requested else CONTAINERS[options.codec]
    for suffix in suffixes:
        problem = _problem(source, options, suffix, nvenc=nvenc)
        if problem is None:
            return Output(options, suffix, source.copied)
        first = first or problem
    for other in _variants(options):
        fitting = [each for each in CONTAINERS[other.codec] if not _problem(source, other, each, nvenc=nvenc)]
        if fitting:
            how = "" if other is options else f" as {other.codec}, {other.pixel_format}, by {other.encoder}"
            if not options.fall_back:
                raise UnsupportedStream(f"{first}; it would fit into {', '.join(fitting)}{how}")
            suffix = requested if requested in fitting else fitting[0]
            return Output(other, suffix, source.copied, f"{first}: the output is {suffix}{how}")
    if options.streams == "strict":
        raise UnsupportedStream(f"{first}; to leave it out: framebrush submit {name} --streams fit")
    for suffix, kept in sorted(_reduced(source, suffixes), key=lambda each: -len(each[1])):
        if _problem(replace(source, copied=kept), options, suffix, nvenc=nvenc) is None:
            return Output(options, suffix, kept)
    raise UnsupportedStream(f"{first}; to convert it first: ffmpeg -i {name} -map 0 -c copy -c:a aac film.mkv")


def _reduced(source: Input, suffixes: Iterable[str]) -> Iterator[tuple[str, list[Stream]]]:
    """Yield containers with the streams that each carries, if some of the sound is among them."""
    audible = any(stream.type == "audio" for stream in source.copied)
    for suffix in suffixes:
        kept = [stream for stream in source.copied if carries(suffix, stream, source.film.edges)]
        if not audible or any(stream.type == "audio" for stream in kept):
            yield suffix, kept


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
    video, film = source.video, source.film
    if options.encoder == "nvenc" and not nvenc:
        return "this installation has no NVENC (FRAMEBRUSH_NVENC)"
    if options.choose(video.width, video.height) is None:
        return f"{options.codec} by {options.encoder} cannot be {video.width}x{video.height} in {options.pixel_format}"
    for stream in source.copied:
        if not carries(suffix, stream, film.edges):
            return f"{suffix} cannot carry the input's {stream.type} stream {stream.index} ({codec_name(stream)})"
    copied = [stream.index for stream in source.copied]
    return options.unsuited(suffix) or dry_run(suffix, options, video, film, copied)


def carries(suffix: str, stream: Stream, edges: Mapping[int, Edges]) -> bool:
    """Return whether a container can carry a stream.

    This is tried out, since what a muxer accepts, and what comes back, depends on more than the codec.

    Args:
        suffix: The extension that tells the container.
        stream: The stream of the input.
        edges: The first and the last packets of each stream, by its index.
    """
    if isinstance(stream, AttachmentStream):
        return FORMATS[suffix] == "matroska"
    if stream.codec_context is None:
        return False
    if codec_name(stream).startswith("pcm_") and FORMATS[suffix] == "mp4":
        return False  # FFmpeg writes it (ISO/IEC 23003-5); hardly any player reads it.
    parts = edges[stream.index].parts() if stream.index in edges else [[]]
    try:
        return all(_comes_back(FORMATS[suffix], stream, packets) for packets in parts)
    except (av.FFmpegError, ValueError):
        return False


def _comes_back(format_name: str, stream: Stream, packets: Sequence[AnyPacket]) -> bool:
    """Return whether a container gives back the packets of a stream that it got."""
    file, wanted = io.BytesIO(), Track.of(stream)
    begin = min((time for packet in packets if (time := _time(packet)) is not None), default=0)
    with av.open(file, "w", format=format_name) as container:
        copy = add_untouched(container, stream)
        for packet in packets:
            packet.pts = None if packet.pts is None else packet.pts - begin
            packet.dts = None if packet.dts is None else packet.dts - begin
            if wanted.keeps(packet):
                wanted.add(packet)
                packet.stream = copy
                container.mux(packet)
        container.start_encoding()
    if is_extra(stream) or not wanted.stored:
        return True
    file.seek(0)
    with av.open(file, "r") as container:
        found = Track.of(container.streams[0])
        for packet in container.demux(container.streams[0]):
            if found.keeps(packet):
                found.add(packet)
    return (wanted.codec, wanted.contents()) == (found.codec, found.contents())


def _time(packet: AnyPacket) -> int | None:
    return packet.dts if packet.dts is not None else packet.pts
