"""The names of a stream's codec, and of a file. It needs the extra ``framebrush[video]``."""

from pathlib import PurePosixPath
from shlex import quote
from typing import Any, cast

from av.stream import Stream

ALIASES = {"mp2": "mp3"}
"""Names of codecs that mean the same here: MP4 does not tell the layer of MPEG audio."""


def codec_name(stream: Stream) -> str:
    """Return the name of a stream's codec, and not of FFmpeg's decoder for it; the stream's type if it has no codec."""
    context = cast(Any, stream.codec_context)
    name = str(context.codec.canonical_name) if context is not None else stream.type
    return ALIASES.get(name, name)


def codec_tag(stream: Stream) -> str:
    """Return what a container calls a stream's codec: four characters, of which it may leave some zero."""
    try:
        return str(cast(Any, stream.codec_context).codec_tag)
    except UnicodeDecodeError as error:  # PyAV takes a number for text.
        return error.object.decode("latin-1")


def quoted(name: str) -> str:
    """Return the name of a file as a command has it, without the folders above it."""
    return quote(PurePosixPath(name).name)
