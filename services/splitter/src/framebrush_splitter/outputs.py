"""Where a run's output goes, and what the output's container can carry."""

import io
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import av
from av.packet import Packet
from av.stream import AttachmentStream, Stream

from framebrush.documents import BlobRef
from framebrush.errors import PermanentError
from framebrush.facts import codec_name
from framebrush.requests import OUTPUT_FORMATS


class UnsupportedStream(PermanentError):
    """The requested container cannot carry a stream of the input."""

    reason = "unsupported_stream"


def choose_output(
    requested: BlobRef | None,
    source: BlobRef,
    container: str,
    model: str,
    copied: Sequence[Stream],
    samples: Mapping[int, "Packet[Any]"],
) -> BlobRef:
    """The output blob: as requested, else named after the input and the model, in MP4 if that carries all streams.

    ``copied`` are the streams that must go into the output, ``samples`` a packet of each by the stream's index.

    Raises:
        UnsupportedStream: the requested container cannot carry a stream; names it, and the containers that can.
    """
    if requested is None:
        suffix = next((s for s in OUTPUT_FORMATS if all(carries(s, c, samples) for c in copied)), ".mkv")
        return BlobRef(container=container, name=f"{PurePosixPath(source.name).with_suffix('')}.{model}{suffix}")
    suffix = PurePosixPath(requested.name).suffix.lower()
    for stream in copied:
        if not carries(suffix, stream, samples):
            fitting = [other for other in OUTPUT_FORMATS if all(carries(other, each, samples) for each in copied)]
            can = f"; it would fit into {', '.join(fitting)}" if fitting else ""
            raise UnsupportedStream(
                f"{suffix} cannot carry the input's {stream.type} stream {stream.index} ({codec_name(stream)}){can}"
            )
    return requested


def carries(suffix: str, stream: Stream, samples: Mapping[int, "Packet[Any]"]) -> bool:
    """Whether a container can carry a stream. Tried out: what a muxer accepts depends on more than the codec."""
    if isinstance(stream, AttachmentStream):
        return OUTPUT_FORMATS[suffix] == "matroska"
    try:
        with av.open(io.BytesIO(), "w", format=OUTPUT_FORMATS[suffix]) as container:
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
