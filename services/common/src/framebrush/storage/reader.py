"""A blob as a file, which is read by ranges and never as a whole."""

from collections import OrderedDict

from framebrush.contracts import BlobRef
from framebrush.errors import Conflict, InputChanged, Unavailable
from framebrush.storage.seekable import SeekableFile
from framebrush.storage.store import Store


class BlobReader(SeekableFile):
    """A seekable, read-only file over a blob pinned by its ETag.

    Demuxers read forward in small steps, and jump to the index at the end and back. Therefore a few chunks are kept.

    Raises (while reading):
        BlobNotFound: The blob was deleted.
        InputChanged: The blob was overwritten.
        Unavailable: Storage refused the condition although the blob is the same.
    """

    def __init__(
        self, store: Store, ref: BlobRef, size: int, etag: str, *, chunk: int = 2 * 2**20, keep: int = 4
    ) -> None:
        super().__init__(str(ref), size)
        self._store, self._ref, self._etag = store, ref, etag
        self._chunk, self._keep = chunk, keep
        self._chunks: OrderedDict[int, bytes] = OrderedDict()

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer as far as the current chunk has bytes. Return their number, which is 0 at the blob's end."""
        if self._position >= self._size:
            return 0
        number, offset = divmod(self._position, self._chunk)
        data = self._load(number)[offset : offset + len(buffer)]
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _load(self, number: int) -> bytes:
        if number in self._chunks:
            self._chunks.move_to_end(number)
            return self._chunks[number]
        start = number * self._chunk
        try:
            data = self._store.read(self._ref, start, min(self._chunk, self._size - start), etag=self._etag)
        except Conflict as conflict:
            raise self._why() from conflict
        self._chunks[number] = data
        if len(self._chunks) > self._keep:
            self._chunks.popitem(last=False)
        return data

    def _why(self) -> InputChanged | Unavailable:
        """Return what a refusal of storage means, by the version that is there now."""
        if self._store.stat(self._ref).etag == self._etag:
            return Unavailable(f"{self._ref}: storage refused to read a version that is still there")
        return InputChanged(f"{self._ref} was overwritten during the run")
