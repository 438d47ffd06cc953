"""Packs: tar files of frames, ``NNNNNNNN.jpg`` or ``.png`` in order, in the convention of WebDataset.

A frame that could not be scored has a ``NNNNNNNN.error.json`` beside the original, or in its place.
"""

import io
import tarfile
from collections.abc import Iterator

from framebrush.contracts import FrameFailure

EXTENSIONS = {"jpeg": "jpg", "png": "png"}
"""The extensions of the members' names, by the run's ``pack_codec``."""


class PackWriter:
    """Builds a pack in memory."""

    def __init__(self, codec: str = "jpeg") -> None:
        self._extension = EXTENSIONS[codec]
        self._parts = list[bytes]()
        self._offset = 0
        self.offsets = [0]
        """The offset of each member, in bytes. The last offset is where the members end."""

    def _add(self, name: str, data: bytes) -> None:
        info = tarfile.TarInfo(name)  # There are no times and no owner, so that the same frames give the same bytes.
        info.size = len(data)
        # tarfile itself copies in pieces of 16 kB, which holds up all other threads.
        self._parts += [info.tobuf(tarfile.USTAR_FORMAT), data, bytes(-len(data) % tarfile.BLOCKSIZE)]
        self._offset += sum(len(part) for part in self._parts[-3:])

    def add_frame(self, index: int, image: bytes) -> None:
        """Add an encoded frame, which has the number ``index`` in its segment."""
        self._add(f"{index:08}.{self._extension}", image)
        self.offsets.append(self._offset)

    def add_failure(self, failure: FrameFailure) -> None:
        """Record that a frame could not be scored."""
        self._add(f"{failure.frame:08}.error.json", failure.encode())

    def finish(self) -> bytes:
        """Return the bytes of the pack."""
        end = 2 * tarfile.BLOCKSIZE
        return b"".join([*self._parts, bytes(end + -(self._offset + end) % tarfile.RECORDSIZE)])


def read_pack(data: bytes) -> tuple[dict[int, bytes], list[FrameFailure]]:
    """Return the encoded frames by their index, and the failures, of a pack or of whole members cut out of one.

    Raises:
        tarfile.TarError: This is not a pack.
    """
    frames, failures = dict[int, bytes](), list[FrameFailure]()
    for name, content in _members(data):
        index, _, extension = name.partition(".")
        if extension == "error.json":
            failures.append(FrameFailure.decode(content))
        else:
            frames[int(index)] = content
    return frames, failures


def _members(data: bytes) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is not None:
                yield member.name, content.read()


def pack_offsets(data: bytes) -> list[int]:
    """Return where each member of a pack begins, in bytes, and where the last one ends, as :class:`PackWriter` does.

    Raises:
        tarfile.TarError: This is not a pack.
    """
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        members = tar.getmembers()
        last = members[-1]
        size = -(-last.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
        return [member.offset for member in members] + [last.offset_data + size]
