"""What a container says of how a video is to be shown, beside its pixels. It needs the extra ``framebrush[video]``.

PyAV gives no access to it. So a stream is described to FFmpeg's muxer of Matroska, which has an element for each of
these properties, whatever container they come from (RFC 9559, section 5.1.4.1.28).
"""

import io
import math
from dataclasses import dataclass

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from framebrush.media.ebml import ENTRY, SEGMENT, TRACKS, child, elements, joined, with_entry

VIDEO = 0xE0
STEREO, PROJECTION, PROJECTION_TYPE = 0x53B8, 0x7670, 0x7671
BOTTOM, TOP, LEFT, RIGHT = 0x54AA, 0x54BB, 0x54CC, 0x54DD
MAPPING, MAPPED, MAPPED_TYPE = 0x41E4, 0x41ED, 0x41E7
"""The identifiers of elements."""
SHOWN = (STEREO, PROJECTION, LEFT, TOP, RIGHT, BOTTOM)
DOLBY_VISION = (b"dvcC", b"dvvC", b"dvwC")
PROJECTIONS = ("", "equirectangular", "cubemap", "mesh")
"""By Matroska's number. The first is that of a flat video, whose roll is that of its display matrix."""
STEREO_MODES = ("one", "left and right", "bottom and top", "top and bottom")
UNOFFICIAL = {"strict": "unofficial"}
"""The option with which FFmpeg's muxers write all that they can, such as the boxes of spherical video in MP4."""


@dataclass(frozen=True)
class Display:
    """How a video is to be shown. The defaults are those of a plain one."""

    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    """The pixels that are not shown at the left, the top, the right and the bottom."""
    stereo: int = 0
    """The packing of two views into one picture, as Matroska's StereoMode; 0 is one view."""
    projection: str = ""
    """The projection of a spherical video; empty for a flat one."""
    dolby_vision: int | None = None
    """The profile of Dolby Vision, None without it."""

    @property
    def special(self) -> bool:
        """Whether it differs from that of a plain video in what an output can keep."""
        return bool(any(self.crop) or self.stereo or self.projection)

    @property
    def words(self) -> str:
        """What an output can keep, in words."""
        views = STEREO_MODES[self.stereo] if self.stereo < len(STEREO_MODES) else f"StereoMode {self.stereo}"
        left, top, right, bottom = self.crop
        return f"without {left}, {top}, {right}, {bottom} pixels; views: {views}; {self.projection or 'flat'}"


def read_display(stream: VideoStream) -> Display:
    """Return how a container says that its video is to be shown; of a codec that Matroska cannot carry the default."""
    try:
        return _display(_entry(stream))
    except (av.FFmpegError, ValueError):
        return Display()


def quarter_turns(matrix: tuple[int, ...] | None) -> int:
    """Return the quarter turns to the left that show a frame upright, 0 to 3, by its display matrix."""
    return round(math.degrees(math.atan2(-matrix[1], matrix[0])) / 90) % 4 if matrix else 0


def template(encoded: InputContainer, source: VideoStream) -> VideoStream:
    """Return the stream of an encoded segment as one that is shown like the input.

    A stream that is made from it is written with the crop, the views and the projection of the input, as far as its
    container has room for them. Its extradata may be in another form than the segment's.

    Args:
        encoded: The segment, from which a packet is read.
        source: The video of the input.
    """
    stream = encoded.streams.video[0]
    display = read_display(source)
    if not display.special:
        return stream
    names = SHOWN if display.projection else [name for name in SHOWN if name != PROJECTION]
    shown = [(name, data) for name, data in elements(child(_entry(source), VIDEO)) if name in names]
    described = io.BytesIO()
    with av.open(described, "w", format="matroska", options=UNOFFICIAL) as container:
        copy = container.add_stream_from_template(stream, opaque=True)
        packet = next(packet for packet in encoded.demux(stream) if packet.size)
        packet.stream, packet.pts, packet.dts = copy, 0, 0
        container.mux(packet)
    return av.open(io.BytesIO(_with_video(described.getvalue(), shown)), "r").streams.video[0]


def _entry(stream: VideoStream) -> bytes:
    """Return the content of Matroska's TrackEntry of a stream."""
    described = io.BytesIO()
    with av.open(described, "w", format="matroska", options=UNOFFICIAL) as container:
        container.add_stream_from_template(stream, opaque=True)
        container.start_encoding()
    return child(described.getvalue(), SEGMENT, TRACKS, ENTRY)


def _with_video(file: bytes, added: list[tuple[int, bytes]]) -> bytes:
    """Return a Matroska file of one video with more elements in its Video, and without an index."""

    def shown(entry: bytes) -> bytes:
        plain = [(name, data) for name, data in elements(child(entry, VIDEO)) if name not in SHOWN]
        video = joined([*plain, *added])
        return joined([(name, video if name == VIDEO else data) for name, data in elements(entry)])

    return with_entry(file, shown)


def _display(entry: bytes) -> Display:
    video = dict(elements(child(entry, VIDEO)))
    left, top, right, bottom = (int.from_bytes(video.get(side, b""), "big") for side in (LEFT, TOP, RIGHT, BOTTOM))
    projection = ""
    if PROJECTION in video:
        kind = int.from_bytes(child(video[PROJECTION], PROJECTION_TYPE), "big")
        projection = PROJECTIONS[kind] if kind < len(PROJECTIONS) else str(kind)
    mappings = [dict(elements(data)) for name, data in elements(entry) if name == MAPPING]
    vision = [
        m[MAPPED] for m in mappings if m.get(MAPPED_TYPE, b"")[-4:] in DOLBY_VISION and len(m.get(MAPPED, b"")) > 2
    ]
    profile = vision[0][2] >> 1 if vision else None
    stereo = int.from_bytes(video.get(STEREO, b""), "big")
    return Display((left, top, right, bottom), stereo, projection, profile)
