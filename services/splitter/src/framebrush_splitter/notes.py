"""What a run cannot keep of its input, as lines of text for a person."""

from collections.abc import Container, Iterable, Iterator
from fractions import Fraction

from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from framebrush.contracts import FORMATS, Segment, VideoProperties
from framebrush.media import (
    ASSUMED_RATE,
    CHAPTERED,
    HLG,
    PQ,
    RATELESS,
    UNTIMED,
    codec_name,
    lost_track_tags,
    quoted,
    read_display,
    side_data,
    strictly_increasing,
    timecode_of,
    told_rate,
)
from framebrush_splitter.plan import Packets

CHAPTER_BEGIN = Fraction(1, 1000)
"""The seconds by which a chapter may begin elsewhere, as its container rounds."""
HDR = {PQ: "PQ", HLG: "HLG"}
BESIDE = {
    "LCEVC": "the enhancement layer (LCEVC) is left out: its base layer is styled",
    "VIEW_ID": "the second view (spatial video) is left out",
    "AFD": "the active format description, which tells broadcasts' players what to crop, is left out",
    "ICC_PROFILE": "the colour profile of the pictures (ICC) is left out",
}
"""What is left out, by the side data of frames that tells it."""
ANOTHER_RATE = {
    True: "mkvmerge -o film.mkv --default-duration 0:50fps {name}",
    False: "ffmpeg -framerate 50 -i {name} -c copy film.mkv",
}
"""What gives a raw stream without times a frame rate, and one that FFmpeg numbers in the order in which it is shown."""


def notes(
    container: InputContainer,
    stream: VideoStream,
    frame: VideoFrame,
    video: VideoProperties,
    packets: Packets,
    segments: tuple[Segment, ...],
    copied: Iterable[int],
) -> Iterator[str]:
    """Yield one line for each thing that the output loses or changes, and for what makes the run slower.

    Args:
        container: The input, opened.
        stream: The video stream that is styled.
        frame: The first decoded frame of that stream.
        video: The properties of that stream.
        packets: What its packets announce.
        segments: The segments into which the video is cut.
        copied: The indices of the streams that go into the output untouched.
    """
    for other in container.streams:
        if other is not stream and other.index not in copied and not _is_kept_otherwise(container, other, stream):
            hint = ": --convert-audio keeps it in another codec" if other.type == "audio" else ""
            yield f"stream {other.index} ({other.type}, {_kind(other)}) is left out{hint}"
    if container.format.name in RATELESS:
        rate, name = told_rate(stream), quoted(container.name)
        command = ANOTHER_RATE[container.format.name in UNTIMED].format(name=name)
        how = "as its pictures tell" if rate else f"as nothing tells; to set another rate: {command}"
        yield f"{name} has no times: it is taken to have {float(rate or ASSUMED_RATE):.6g} frames/s, {how}"
    if any(component.is_alpha for component in frame.format.components):
        yield f"transparency is left out: the pixels are {frame.format.name}"
    elif packets.alpha:
        yield "transparency is left out: it is stored beside the pictures (BlockAdditional)"
    yield from (words for name, words in BESIDE.items() if side_data(frame, name) is not None)
    if side_data(frame, "STEREO3D") is not None and not read_display(stream).stereo:
        yield "how two views share a picture is left out: it is stored in the pictures"
    if (profile := read_display(stream).dolby_vision) is not None:
        yield f"Dolby Vision (profile {profile}) is left out: its base layer is styled"
    bits = frame.format.components[0].bits
    if video.color_trc in HDR:
        yield f"high dynamic range ({HDR[video.color_trc]}) is tone-mapped to BT.709: the output has 8 bits"
    elif bits > 8:
        yield f"the pixels have {bits} bits, the output 8"
    if frame.interlaced_frame:
        yield "the video is interlaced: both fields are styled as one picture, and the output is progressive"
    yield from packets.changes
    moved = sum(a != b for a, b in zip(packets.pts, strictly_increasing(packets.pts), strict=True))
    if moved:
        why = ", as its edit list cuts between frames that refer to each other" if packets.edited else ""
        yield f"{moved} frames share their time with the frame before{why}: each comes a tick later"
    if len(packets.shifts) > 1:
        yield f"times jump at {len(packets.shifts) - 1} places: they go on as if they did not, as in players"
    if packets.undecodable:
        yield f"the file begins in the middle of a group of pictures: {packets.undecodable} frames cannot be decoded"
    if packets.broken_off:
        yield f"the file breaks off in the middle of a picture: {packets.broken_off} frames at the end are left out"
    if packets.unusable_keyframes:
        count = packets.unusable_keyframes
        yield f"decoding cannot begin exactly at {count} keyframes: the video is cut into {len(segments)}"


def label_notes(container: InputContainer, kept: Container[int], suffix: str) -> Iterator[str]:
    """Yield one line for each stream whose tags the output has no place for, and for chapters that it moves.

    Args:
        container: The input, opened.
        kept: The indices of the streams that go into the output.
        suffix: The extension that tells the output's container.
    """
    for stream in container.streams:
        lost = lost_track_tags(stream.metadata, FORMATS[suffix]) if stream.index in kept else []
        if lost:
            names = ", ".join(lost)
            yield f"tags of stream {stream.index} ({stream.type}) that {suffix} has no place for are left out: {names}"
    starts = (chapter["start"] * (chapter["time_base"] or Fraction(1)) for chapter in container.chapters())
    first = min(starts, default=Fraction(0))
    if FORMATS[suffix] in CHAPTERED and first > CHAPTER_BEGIN:
        yield f"the first chapter begins at 0 s instead of {float(first):.3f} s: chapters of {suffix} leave no gap"


def _kind(stream: Stream) -> str:
    """Return what a stream is: its codec, or for data what the camera or the editor calls it, such as GoPro MET."""
    if stream.type != "data":
        return codec_name(stream)
    return stream.metadata.get("handler_name", "").strip() or str(getattr(stream, "name", None) or "of an unknown kind")


def _is_kept_otherwise(container: InputContainer, stream: Stream, video: VideoStream) -> bool:
    """Return whether a stream holds the texts of QuickTime chapters, or the timecode: muxers write them anew."""
    name = stream.metadata.get("handler_name", "").lower()
    chapters = bool(container.chapters()) and ("text" in name or "subtitle" in name)
    timecode = stream.metadata.get("timecode")
    return stream.type == "data" and (chapters or (timecode is not None and timecode == timecode_of(container, video)))
