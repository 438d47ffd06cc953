"""Brings the encoded chunks of a film to where they are joined, a few at a time."""

from collections.abc import Generator, Iterable
from pathlib import Path, PurePosixPath

from framebrush.contracts import BlobRef
from framebrush.runs import RunBlobs
from framebrush.service import ordered_map
from framebrush.storage import Store

CONNECTIONS = 8
"""The chunks that are read at a time."""
PART = 4 * 2**20
"""The bytes that are read with one request: most chunks of 1280x720 have fewer."""


def chunk_path(folder: Path, number: int) -> Path:
    """Return the file of an encoded chunk, by its place in the film."""
    return folder / f"chunk-{number}"


def bring(
    store: Store, blobs: RunBlobs, rendition: int, chunks: Iterable[tuple[int, int]], folder: Path
) -> Generator[None, None, None]:
    """Bring one chunk after the other into a folder, and remove each when the next is asked for.

    Some are on their way ahead. So chunks are read while those before them are joined, and the disk has to hold the
    output and a few of them.

    Args:
        store: Where the chunks are.
        blobs: The names of the run's blobs.
        rendition: The number of the rendition.
        chunks: The segments and numbers of the chunks, in order.
        folder: The folder to bring them to. Those that are on their way have other names there.
    """
    there = {info.ref: info for info in store.list(blobs.container, blobs.encoded_prefix(rendition))}

    def download(ref: BlobRef) -> Path:
        info, path = there.get(ref) or store.stat(ref), folder / f"arriving-{PurePosixPath(ref.name).name}"
        with path.open("wb") as file:
            for first in range(0, info.size, PART):
                file.write(store.read(ref, first, min(PART, info.size - first)))  # It is written once: no ETag.
        return path

    refs = (blobs.encoded(segment, rendition, chunk) for segment, chunk in chunks)
    for number, path in enumerate(ordered_map(download, refs, CONNECTIONS)):
        chunk = path.rename(chunk_path(folder, number))
        try:
            yield
        finally:  # The next rendition has a chunk of the same name.
            chunk.unlink()
