"""The interface of storage. :class:`AzureBlobs` implements it in Azure, :class:`MemoryStore` in memory, for tests."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol

from framebrush.contracts import BlobRef


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """The properties of a blob, without its content."""

    ref: BlobRef
    size: int
    """The size of the blob, in bytes."""
    etag: str
    modified: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)


class Store(Protocol):
    """Reads and writes blobs by their references.

    Every method may raise :class:`~framebrush.errors.Unavailable` when storage is away,
    :class:`~framebrush.errors.Unfit` when it refuses our credentials or a container of the installation's own is
    missing, and :class:`~framebrush.errors.AccessDenied` for a container of others that is not open to us.
    """

    def read(self, ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
        """Return ``length`` bytes from the offset ``start``, or all bytes from there if ``length`` is None.

        Raises:
            BlobNotFound: There is no such blob or container.
            Conflict: The blob's ETag is not ``etag``.
        """

    def write(
        self,
        ref: BlobRef,
        data: bytes | BinaryIO,
        *,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        if_absent: bool = False,
    ) -> str:
        """Create or replace a blob, in one step for all readers; return its new ETag.

        Raises:
            BlobNotFound: There is no such container, or no blob to match.
            Conflict: The condition does not hold.
        """

    def append(self, ref: BlobRef, data: bytes) -> None:
        """Append up to 4 MiB to a blob that only ever grows, which is created where there is none.

        Raises:
            BlobNotFound: There is no such container.
            Conflict: The blob is of another kind, or takes no more.
        """

    def stat(self, ref: BlobRef) -> BlobInfo:
        """Return the properties of a blob.

        Raises:
            BlobNotFound: There is no such blob or container.
        """

    def list(self, container: str, prefix: str = "") -> Iterator[BlobInfo]:
        """Yield the blobs whose names begin with ``prefix``, in the order of their names."""

    def delete(self, refs: Iterable[BlobRef]) -> None:
        """Delete blobs. Those that do not exist are passed over."""

    def ping(self) -> None:
        """Check that storage answers and that the work container is open to us.

        Raises:
            Unavailable: Storage does not answer.
            Unfit: Storage refuses our credentials, or there is no work container.
        """
