"""Writes blobs that are written once: whoever comes first decides what a blob contains."""

from collections.abc import Mapping
from typing import BinaryIO

from framebrush.contracts import BlobRef
from framebrush.errors import BlobNotFound, Conflict, Unavailable
from framebrush.storage.store import Store


def write_once(
    store: Store, ref: BlobRef, data: bytes | BinaryIO, *, metadata: Mapping[str, str] | None = None
) -> bool:
    """Write a blob unless it exists. A blob that exists stays as it is, and keeps its ETag for those who read it.

    Returns:
        True if this call wrote the blob, False if it was there before.

    Raises:
        BlobNotFound: The container does not exist.
        Unavailable: Storage refused the condition although there is no such blob.
    """
    try:
        store.write(ref, data, metadata=metadata, if_absent=True)
    except Conflict as conflict:
        try:
            store.stat(ref)
        except BlobNotFound:
            raise Unavailable(f"{ref}: storage refused the first write of a blob that does not exist") from conflict
        return False
    return True
