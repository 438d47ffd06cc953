"""What is done with a caller's file, in the sandbox: copy its sound and subtitles into the output."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
from pydantic import TypeAdapter

from framebrush.contracts import FORMATS, Check, Manifest, Timeline
from framebrush.sandbox import SandboxedFile
from framebrush_stitcher.join import JoinFailed, check, join

CHECKS = TypeAdapter(tuple[Check, ...])
"""What :func:`write_output` yields, as JSON."""


def write_output(
    source: SandboxedFile,
    manifest: Manifest,
    segments: Sequence[Path],
    timelines: Sequence[Timeline],
    reorder: int,
    output: Path,
) -> Iterator[bytes]:
    """Write the output to a file, and yield what came of reading it back.

    Args:
        source: The input.
        manifest: Of the run.
        segments: The encoded ones, in order.
        timelines: Theirs.
        reorder: How many places a packet comes before its turn, at most.
        output: The file to write.

    Raises:
        JoinFailed: segments and input do not make the output that they should.
    """
    format_name = FORMATS[output.suffix.lower()]
    try:
        with av.open(source, "r", metadata_errors="replace", buffer_size=256 * 1024) as container:
            wanted = join(segments, timelines, reorder, manifest, container, output, format_name)
    except (av.ArgumentError, av.InvalidDataError) as error:  # others, as of a full disk, are not the file's fault
        raise JoinFailed(f"the input's sound or subtitles cannot be copied: {error.strerror}") from error
    yield CHECKS.dump_json(check(output, wanted))
