"""Storage in memory, for tests of handlers."""

import hashlib
import threading
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import BinaryIO

from framebrush.contracts import BlobRef
from framebrush.errors import BlobNotFound, Conflict
from framebrush.storage.store import BlobInfo


class MemoryStore:
    """A :class:`framebrush.storage.Store` that lasts as long as its process. Containers need not be created."""

    def __init__(self) -> None:
        self._blobs: dict[BlobRef, tuple[BlobInfo, bytes]] = {}
        self._names = dict[str, list[str]]()
        """The names of each container, sorted."""
        self._guard = threading.Lock()
        self._writes = 0

    def read(self, ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
        """See :meth:`framebrush.storage.Store.read`."""
        info, data = self._find(ref)
        if etag is not None and info.etag != etag:
            raise Conflict(f"{ref}: changed by somebody else")
        return data[start : None if length is None else start + length]

    def write(
        self,
        ref: BlobRef,
        data: bytes | BinaryIO,
        *,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        if_absent: bool = False,
    ) -> str:
        """See :meth:`framebrush.storage.Store.write`."""
        content = data if isinstance(data, bytes) else data.read()
        with self._guard:
            found = self._blobs.get(ref)
            if (if_absent and found) or (if_match is not None and (found is None or found[0].etag != if_match)):
                raise Conflict(f"{ref}: changed by somebody else")
            self._writes += 1
            if found is None:
                insort(self._names.setdefault(ref.container, []), ref.name)
            etag = f'"{self._writes}-{hashlib.sha256(content).hexdigest()[:8]}"'
            self._blobs[ref] = BlobInfo(ref, len(content), etag, datetime.now(UTC), dict(metadata or {})), content
        return etag

    def append(self, ref: BlobRef, data: bytes) -> None:
        """See :meth:`framebrush.storage.Store.append`."""
        with self._guard:
            _, before = self._blobs.get(ref, (None, b""))
        self.write(ref, before + data)

    def stat(self, ref: BlobRef) -> BlobInfo:
        """See :meth:`framebrush.storage.Store.stat`."""
        return self._find(ref)[0]

    def list(self, container: str, prefix: str = "") -> Iterator[BlobInfo]:
        """See :meth:`framebrush.storage.Store.list`."""
        with self._guard:
            names = self._names.get(container, [])
            first = bisect_left(names, prefix)
            named = takewhile(lambda name: name.startswith(prefix), islice(names, first, None))
            found = [self._blobs[BlobRef(container=container, name=name)][0] for name in named]
        yield from found

    def delete(self, refs: Iterable[BlobRef]) -> None:
        """See :meth:`framebrush.storage.Store.delete`."""
        with self._guard:
            for ref in refs:
                if self._blobs.pop(ref, None) is not None:
                    names = self._names[ref.container]
                    names.pop(bisect_left(names, ref.name))

    def ping(self) -> None:
        """See :meth:`framebrush.storage.Store.ping`."""

    def _find(self, ref: BlobRef) -> tuple[BlobInfo, bytes]:
        with self._guard:
            if ref not in self._blobs:
                raise BlobNotFound(f"{ref}: no such blob")
            return self._blobs[ref]
