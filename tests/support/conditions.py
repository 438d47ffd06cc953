"""Storage that refuses conditions."""

from collections.abc import Callable, Mapping
from typing import BinaryIO

from framebrush.contracts import BlobRef
from framebrush.errors import Conflict
from framebrush.storage import MemoryStore


class Refusing(MemoryStore):
    """Refuses conditional requests, as Azure does when a blob is leased or an answer is lost and the SDK asks again."""

    def __init__(self, refuses: Callable[[str, BlobRef], bool], *, effect: bool = False) -> None:
        """Be empty.

        Args:
            refuses: Whether to refuse a request, by its method (``read`` or ``write``) and the blob.
            effect: Write before refusing.
        """
        super().__init__()
        self.refuses, self.effect = refuses, effect

    def read(self, ref: BlobRef, start: int = 0, length: int | None = None, *, etag: str | None = None) -> bytes:
        if etag is not None and self.refuses("read", ref):
            raise Conflict(f"{ref}: refused")
        return super().read(ref, start, length, etag=etag)

    def write(
        self,
        ref: BlobRef,
        data: bytes | BinaryIO,
        *,
        metadata: Mapping[str, str] | None = None,
        if_match: str | None = None,
        if_absent: bool = False,
    ) -> str:
        refused = (if_absent or if_match is not None) and self.refuses("write", ref)
        if refused and not self.effect:
            raise Conflict(f"{ref}: refused")
        etag = super().write(ref, data, metadata=metadata, if_match=if_match, if_absent=if_absent)
        if refused:
            raise Conflict(f"{ref}: written, but refused")
        return etag


def times(count: int, method: str = "write") -> Callable[[str, BlobRef], bool]:
    """Refuse the first requests of a method."""
    left = [count]

    def refuses(asked: str, ref: BlobRef) -> bool:
        if asked != method:
            return False
        left[0] -= 1
        return left[0] >= 0

    return refuses


def each_once() -> Callable[[str, BlobRef], bool]:
    """Refuse every blob's first conditional request of each method."""
    seen = set[tuple[str, BlobRef]]()

    def refuses(asked: str, ref: BlobRef) -> bool:
        new = (asked, ref) not in seen
        seen.add((asked, ref))
        return new

    return refuses
