"""The work with a caller's file in the sandbox: copying its sound and subtitles into the output."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from pydantic import TypeAdapter

from framebrush.contracts import FORMATS, Check, Manifest, Timeline
from framebrush.sandbox import SandboxedFile
from framebrush_stitcher.join import JoinFailed, check, join

CHECKS = TypeAdapter(tuple[Check, ...])
"""Reads and writes what :func:`write_output` yields, which is JSON."""


def write_output(
    source: SandboxedFile,
    manifest: Manifest,
    segments: Sequence[Path],
    timelines: Sequence[Timeline],
    reorder: int,
    output: Path,
) -> Iterator[bytes]:
    """Write the output to a file, and yield the checks of the output as JSON, once.

    Args:
        source: The input.
        manifest: The manifest of the run.
        segments: The files of the encoded segments, in order.
        timelines: The timelines of these segments.
        reorder: The largest number of places that a packet comes before its turn in the order of presentation.
        output: The file to write. Its extension tells the container.

    Raises:
        JoinFailed: The segments and the input do not make the output that they should.
    """
    format_name = FORMATS[output.suffix.lower()]
    try:
        with av.open(source, "r", metadata_errors="replace", buffer_size=256 * 1024) as container:
            wanted = join(segments, timelines, reorder, manifest, container, output, format_name)
    except (av.ArgumentError, av.InvalidDataError) as error:  # Others, as of a full disk, are not its fault.
        raise JoinFailed(f"the input's sound or subtitles cannot be copied: {error.strerror}") from error
    yield CHECKS.dump_json(check(output, wanted))
