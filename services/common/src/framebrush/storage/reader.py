"""A blob as a file, which is read by ranges and never as a whole."""

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor

from framebrush.contracts import BlobRef
from framebrush.errors import Conflict, InputChanged, Unavailable
from framebrush.storage.seekable import SeekableFile
from framebrush.storage.store import Store

FIRST, CHUNK = 256 * 1024, 2 * 2**20
"""The bytes that are read after a jump, and the most that are read at a time. A file that is read on has each chunk
twice as long as the one before: who jumps reads little in vain, and who reads on makes few requests."""
SMALL = 8
"""A request for less than this part of the first chunk, after a jump, is for what it says: demuxers that read on ask
for more."""
AHEAD, STEADY = 3, 4
"""The chunks that are fetched before they are asked for, and so many in a row it takes for each of them. A segment of
a film is mostly read without any; whole films are read over several connections at a time."""

_pool = ThreadPoolExecutor(8, thread_name_prefix="read-ahead")


class BlobReader(SeekableFile):
    """A seekable, read-only file over a blob pinned by its ETag.

    Demuxers read forward in small steps, and jump to the index at the end and back. Therefore a few chunks are kept.

    Raises (while reading):
        BlobNotFound: The blob was deleted.
        InputChanged: The blob was overwritten.
        Unavailable: Storage refused the condition although the blob is the same.
    """

    def __init__(self, store: Store, ref: BlobRef, size: int, etag: str, *, chunk: int = CHUNK, keep: int = 4) -> None:
        super().__init__(str(ref), size)
        self._store, self._ref, self._etag = store, ref, etag
        self._first, self._chunk, self._keep = min(FIRST, chunk), chunk, keep
        self._chunks: OrderedDict[range, tuple[Future[bytes], int]] = OrderedDict()
        """The chunks by where they are, and how many were read in a row before each of them."""
        self._end = 0
        """Where the last request ended."""

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer as far as the current chunk has bytes. Return their number, which is 0 at the blob's end."""
        if self._position >= self._size:
            return 0
        data = self._load(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position = self._end = self._position + len(data)
        return len(data)

    def _load(self, position: int, count: int) -> bytes:
        """Return the bytes from a position on, as many as are wanted at most."""
        chunk = self._find(position)
        if chunk is None:
            if position != self._end and count < self._first // SMALL:
                return self._read(range(position, min(position + count, self._size)))
            chunk, row = self._next(position)
            read = Future[bytes]()
            read.set_result(self._read(chunk))
            self._put(chunk, read, row)
        self._chunks.move_to_end(chunk)
        read, row = self._chunks[chunk]
        self._fetch_behind(chunk, min(AHEAD, row // STEADY))
        try:
            data = read.result()
        except BaseException:
            self._chunks.pop(chunk, None)  # It may be there the next time.
            raise
        return data[position - chunk.start : position - chunk.start + count]

    def _find(self, position: int) -> range | None:
        return next((chunk for chunk in self._chunks if position in chunk), None)

    def _next(self, position: int) -> tuple[range, int]:
        """Return the chunk to read from a position on, and how many were read in a row before it."""
        before = next((chunk for chunk in self._chunks if chunk.stop == position), None)
        size, row = (min(2 * len(before), self._chunk), self._chunks[before][1] + 1) if before else (self._first, 0)
        return range(position, min(position + max(size, self._first), self._size)), row

    def _fetch_behind(self, chunk: range, count: int) -> None:
        """Have so many chunks read that come behind a chunk, unless they are there."""
        for _ in range(count):
            if chunk.stop == self._size:
                return
            following = self._find(chunk.stop)
            if following is None:
                following, row = self._next(chunk.stop)
                self._put(following, _pool.submit(self._read, following), row)
            chunk = following

    def _put(self, chunk: range, read: "Future[bytes]", row: int) -> None:
        self._chunks[chunk] = read, row
        while len(self._chunks) > self._keep + min(AHEAD, row // STEADY):
            self._chunks.popitem(last=False)

    def _read(self, chunk: range) -> bytes:
        try:
            return self._store.read(self._ref, chunk.start, len(chunk), etag=self._etag)
        except Conflict as conflict:
            raise self._why() from conflict

    def _why(self) -> InputChanged | Unavailable:
        """Return what a refusal of storage means, by the version that is there now."""
        if self._store.stat(self._ref).etag == self._etag:
            return Unavailable(f"{self._ref}: storage refused to read a version that is still there")
        return InputChanged(f"{self._ref} was overwritten during the run")
