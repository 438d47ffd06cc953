"""The form of an output: as requested if the input allows it; otherwise it is refused, or the next best is taken."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import av
from av.stream import AttachmentStream, Stream

from framebrush.contracts import CONTAINERS, FORMATS, Options, VideoProperties
from framebrush.errors import PermanentError
from framebrush.media import Order, Track, add_untouched, codec_name, is_convertible, is_extra, quoted
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
    converted: Sequence[Stream]
    """Streams of sound that are converted."""
    film: Film
    """Their packets, and the frames' times."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output that is possible."""

    options: Options
    suffix: str
    """The extension of its name, which tells its container."""
    copied: Sequence[Stream]
    """The streams that it carries as they are."""
    converted: Sequence[Stream] = ()
    """The streams of sound that it carries in another codec."""
    note: str | None = None
    """What differs from the request, and why; None if nothing does."""


def plan_output(source: Input, options: Options, requested: str | None, *, nvenc: bool) -> Output:
    """Return the output as requested, or the next best one if ``options.fall_back`` is set.

    Streams that do not fit together into any container of the codec are left out, as few as possible and never all of
    the sound, unless ``options.streams`` is ``strict``. With ``options.convert_audio`` such sound is converted instead.

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
    suffixes = (requested,) if requested else CONTAINERS[options.codec]
    for suffix in suffixes:
        problem = _problem(source, options, suffix, nvenc=nvenc)
        if problem is None:
            return Output(options, suffix, source.copied)
        first = first or problem
    assert first is not None  # noqa: S101 - there is a container of every codec
    converted = _with_conversions(source, options, suffixes, nvenc=nvenc)
    name, convert = quoted(source.film.container.name), None
    if isinstance(converted, Output):
        if options.convert_audio:
            return converted
        convert = f"to convert it: framebrush submit {name} --convert-audio"
    elif converted is not None and options.convert_audio:
        first = f"{first}; with its sound converted, {converted}"
    for other in _variants(options):
        fitting = [each for each in CONTAINERS[other.codec] if not _problem(source, other, each, nvenc=nvenc)]
        if fitting:
            how = "" if other is options else f" as {other.codec}, {other.pixel_format}, by {other.encoder}"
            if not options.fall_back:
                would = f"it would fit into {', '.join(fitting)}{how}"
                raise UnsupportedStream("; ".join(filter(None, (first, would, convert))))
            suffix = requested if requested in fitting else fitting[0]
            return Output(other, suffix, source.copied, note=f"{first}: the output is {suffix}{how}")
    if options.streams == "strict":
        raise UnsupportedStream(f"{first}; {convert or f'to leave it out: framebrush submit {name} --streams fit'}")
    parts = [part for suffix in suffixes for part in _reduced(source, options, suffix)]
    for suffix, part in sorted(parts, key=lambda each: -len(each[1].copied) - len(each[1].converted)):
        if _problem(part, options, suffix, nvenc=nvenc) is None:
            return Output(options, suffix, part.copied, part.converted)
    first_convert = f"to convert it first: ffmpeg -i {name} -map 0 -c copy -c:a aac film.mkv"
    raise UnsupportedStream(f"{first}; {convert or first_convert}")


def converted_notes(output: Output) -> Iterator[str]:
    """Yield one line for each stream of sound that an output has in another codec."""
    codec = (output.options.sound_encoder(output.suffix) or "").removeprefix("lib")
    for stream in output.converted:
        why = f"{output.suffix} cannot carry it"
        yield f"stream {stream.index} (audio, {codec_name(stream)}) is converted to {codec}: {why}"


def order_notes(output: Output, edges: Mapping[int, Edges]) -> Iterator[str]:
    """Yield one line for each copied stream some of whose packets come later than the input says."""
    for stream in output.copied:
        moved = edges[stream.index].orders[FORMATS[output.suffix]].moved if stream.index in edges else 0
        if moved:
            what = f"{moved} packets of stream {stream.index} ({stream.type}, {codec_name(stream)})"
            yield f"{what} do not come after the one before: each comes a little later"


def _with_conversions(source: Input, options: Options, suffixes: Iterable[str], *, nvenc: bool) -> Output | str | None:
    """Return the output that carries all streams, with as few conversions of sound as possible.

    If there is none it returns why, or None if no sound is to be converted.
    """
    reason: str | None = None
    parts = [(suffix, _fitted(source, suffix)) for suffix in suffixes]
    for suffix, part in sorted(parts, key=lambda each: len(each[1].converted)):
        complete = len(part.copied) + len(part.converted) == len(source.copied)
        if not complete or not part.converted:
            continue
        problem = _problem(part, options, suffix, nvenc=nvenc)
        if problem is None:
            return Output(options, suffix, part.copied, part.converted)
        reason = reason or problem
    return reason


def _fitted(source: Input, suffix: str) -> Input:
    """Return the input with the streams that a container carries as they are, and with all other sound converted."""
    kept = [stream for stream in source.copied if carries(suffix, stream, source.film.edges)]
    return replace(source, copied=kept, converted=[s for s in source.copied if s not in kept and is_convertible(s)])


def _reduced(source: Input, options: Options, suffix: str) -> Iterator[tuple[str, Input]]:
    """Yield a container with the streams that it carries, if some of the sound is among them."""
    audible = any(stream.type == "audio" for stream in source.copied)
    part = _fitted(source, suffix)
    part = part if options.convert_audio else replace(part, converted=())
    if not audible or part.converted or any(stream.type == "audio" for stream in part.copied):
        yield suffix, part


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
    copied, converted = ([stream.index for stream in streams] for streams in (source.copied, source.converted))
    return options.unsuited(suffix) or dry_run(suffix, options, video, film, copied, converted)


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
    if stream.index in edges and len(edges[stream.index].configurations) > 1:
        return False  # Containers that we write tell one only.
    if stream.index in edges and edges[stream.index].orders[FORMATS[suffix]].far:
        return False
    parts = edges[stream.index].parts() if stream.index in edges else [[]]
    try:
        return all(_comes_back(FORMATS[suffix], stream, packets) for packets in parts)
    except (av.FFmpegError, ValueError):
        return False


def _comes_back(format_name: str, stream: Stream, packets: Sequence[AnyPacket]) -> bool:
    """Return whether a container gives back the packets of a stream that it got."""
    file, wanted, order = io.BytesIO(), Track.of(stream), Order.of(stream, format_name)
    begin = min((time for packet in packets if (time := _time(packet)) is not None), default=0)
    with av.open(file, "w", format=format_name) as container:
        copy = add_untouched(container, stream)
        for packet in packets:
            packet.pts = None if packet.pts is None else packet.pts - begin
            packet.dts = None if packet.dts is None else packet.dts - begin
            if wanted.keeps(packet):
                wanted.add(packet)
                order(packet)
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
