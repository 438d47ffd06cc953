"""Where a run's output goes, and what the output's container can carry."""

import io
from collections.abc import Iterable
from functools import cache
from pathlib import PurePosixPath

import av
from av.stream import Stream

from framebrush.documents import BlobRef
from framebrush.errors import PermanentError
from framebrush.requests import OUTPUT_FORMATS


class UnsupportedStream(PermanentError):
    """The requested container cannot carry a stream of the input."""

    reason = "unsupported_stream"


@cache
def _codecs(suffix: str) -> frozenset[str]:
    with av.open(io.BytesIO(), "w", format=OUTPUT_FORMATS[suffix]) as container:
        return frozenset(container.supported_codecs)


def choose_output(
    requested: BlobRef | None, source: BlobRef, container: str, model: str, copied: Iterable[Stream]
) -> BlobRef:
    """The output blob: as requested, else named after the input and the model, in MP4 if that carries all streams.

    Raises:
        UnsupportedStream: the requested container cannot carry a stream; names it, and the containers that can.
    """
    streams = [(stream.type, stream.codec_context.name) for stream in copied]
    fitting = [suffix for suffix in OUTPUT_FORMATS if all(codec in _codecs(suffix) for _, codec in streams)]
    if requested is None:
        stem = PurePosixPath(source.name).with_suffix("")
        return BlobRef(container=container, name=f"{stem}.{model}{fitting[0] if fitting else '.mkv'}")
    suffix = PurePosixPath(requested.name).suffix.lower()
    for kind, codec in streams:
        if codec not in _codecs(suffix):
            can = f"; it would fit into {', '.join(fitting)}" if fitting else ""
            raise UnsupportedStream(f"{suffix} cannot carry the input's {kind} stream ({codec}){can}")
    return requested
