"""The work with a caller's file in the sandbox: copying its sound and subtitles into the output."""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import av
from pydantic import TypeAdapter

from framebrush.contracts import FORMATS, Check, Manifest, Timeline
from framebrush.media import JoinFailed, Recipe, check, join
from framebrush.sandbox import SandboxedFile

LOOK = 0.005
"""The seconds between two looks whether a chunk is there."""
CHECKS = TypeAdapter(tuple[Check, ...])
"""Reads and writes what :func:`write_output` yields, which is JSON."""


def write_output(
    source: SandboxedFile,
    manifest: Manifest,
    chunks: Sequence[Path],
    timelines: Sequence[Path],
    reorder: int,
    output: Path,
) -> Iterator[bytes]:
    """Write the output to a file, and yield the checks of the output as JSON, once.

    Args:
        source: The input.
        manifest: The manifest of the run.
        chunks: The files of the encoded chunks, in order. They need not be there yet: the task says that it is alive
            when it comes to the next one, and waits for it. It needs those before no more.
        timelines: The files of their timelines.
        reorder: The largest number of places that a packet comes before its turn in the order of presentation.
        output: The file to write. Its extension tells the container.

    Raises:
        JoinFailed: The chunks and the input do not make the output that they should.
    """
    format_name, options = FORMATS[output.suffix.lower()], manifest.options
    choice = options.choose(manifest.video.width, manifest.video.height)
    if choice is None:  # The plan has ruled it out.
        raise JoinFailed(f"{options.codec} cannot be {manifest.video.width}x{manifest.video.height}")
    encoder = options.sound_encoder(output.suffix.lower())
    recipe = Recipe(
        manifest.video,
        choice,
        manifest.copied_streams,
        manifest.shifts,
        options.fast_start,
        {index: encoder for index in manifest.converted_streams if encoder is not None},
    )
    try:
        with av.open(source, "r", metadata_errors="replace", buffer_size=256 * 1024) as container:
            read = (Timeline.decode(path.read_bytes()) for path in timelines)
            wanted = join(str(output), format_name, recipe, _arrived(source, chunks), read, reorder, container)
    except (av.ArgumentError, av.InvalidDataError) as error:  # Others, as of a full disk, are not its fault.
        raise JoinFailed(f"the input's sound or subtitles cannot be copied: {error.strerror}") from error
    yield CHECKS.dump_json(check(str(output), wanted))


def _arrived(source: SandboxedFile, paths: Iterable[Path]) -> Iterator[str]:
    """Yield each path once the service has put its file there."""
    for path in paths:
        source.alive()
        while not path.exists():
            time.sleep(LOOK)
        yield str(path)
