"""The library of an installation: styles in Blob, by their names.

A name is a small document, which is replaced as a whole. It names the weights by their SHA-256, under which they lie
and stay: a run that has pinned them paints with them to its end, whatever becomes of the name.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import suppress

from framebrush.contracts import PICTURE, BlobRef, Catalogue, LibraryStyle, PinnedStyle
from framebrush.errors import BlobNotFound, InvalidMessage
from framebrush.storage import Store, write_once
from framebrush.styles.catalogue import BUILT_IN, unknown
from framebrush.styles.errors import InvalidWeights

ENTRIES = "library/"
"""What the names of all entries begin with."""


class Library:
    """The styles in the container of styles."""

    def __init__(self, store: Store, container: str) -> None:
        """Set where the library is. Nothing is read yet."""
        self._store, self._container = store, container

    def _ref(self, name: str) -> BlobRef:
        return BlobRef(container=self._container, name=name)

    def find(self, name: str) -> LibraryStyle | None:
        """Return the style of a name; None if there is none.

        Raises:
            InvalidWeights: The entry is damaged.
        """
        try:
            return LibraryStyle.decode(self._store.read(self._ref(f"{ENTRIES}{name}.json")))
        except BlobNotFound:
            return None
        except InvalidMessage as error:
            raise InvalidWeights(f"the library's entry of {name} is damaged: {error}; add the style again") from error

    def names(self) -> list[str]:
        """Return the names of all styles, sorted. This is one listing."""
        found = (blob.ref.name for blob in self._store.list(self._container, ENTRIES))
        return [name.removeprefix(ENTRIES).removesuffix(".json") for name in found]

    def styles(self) -> Iterator[LibraryStyle]:
        """Yield all styles in the order of their names. Entries that are damaged are left out."""
        for name in self.names():
            with suppress(InvalidWeights):
                if style := self.find(name):
                    yield style

    def add(self, style: LibraryStyle, weights: bytes, preview: bytes | None = None) -> None:
        """Add a style, or replace the one of its name. Weights and preview come first, so that no entry lacks them."""
        write_once(self._store, self._weights(style.digest), weights)
        if preview is not None:
            self._store.write(self.preview_ref(style.digest), preview)
        self._store.write(self._ref(f"{ENTRIES}{style.name}.json"), style.encode())

    def remove(self, name: str) -> None:
        """Remove a name. Its weights stay for the runs that have pinned them."""
        self._store.delete([self._ref(f"{ENTRIES}{name}.json")])

    def weights(self, digest: str) -> bytes:
        """Return the content of weights, which is the one that was added.

        Raises:
            InvalidWeights: They are missing or have other bytes.
        """
        try:
            content = self._store.read(self._weights(digest))
        except BlobNotFound as error:
            raise InvalidWeights(f"the library's weights {digest[:12]} are missing; add the style again") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise InvalidWeights(f"the library's weights {digest[:12]} are not those that were added; add them again")
        return content

    def preview(self, style: LibraryStyle) -> bytes | None:
        """Return the preview of a style, a PNG file, if it has one."""
        try:
            return self._store.read(self.preview_ref(style.digest)) if style.preview else None
        except BlobNotFound:
            return None

    def pin(self, models: Iterable[str]) -> dict[str, PinnedStyle]:
        """Return the styles among the models of a run that are the library's, by their names.

        Raises:
            UnknownModel: A model is neither in the library nor in the catalogue, which is complete.
            InvalidWeights: The weights of a style are missing or cut short.
        """
        found = dict[str, PinnedStyle]()
        for name in models:
            if name in (PICTURE, *BUILT_IN):
                continue
            if style := self.find(name):
                self._check(style)
                found[name] = style.pinned
            elif (catalogue := self.catalogue()) and catalogue.complete and name not in catalogue.models:
                raise unknown(name, {*catalogue.models, *self.names()})
        return found

    def _check(self, style: LibraryStyle) -> None:
        try:
            size = self._store.stat(self._weights(style.digest)).size
        except BlobNotFound:
            size = 0
        if size != style.size:
            found = f"{size} of {style.size} bytes"
            raise InvalidWeights(f"the library's weights of {style.name} have {found}; add the style again")

    def catalogue(self) -> Catalogue | None:
        """Return the models that the scorers have by themselves; None if nobody has said."""
        try:
            return Catalogue.decode(self._store.read(self._ref("catalogue.json")))
        except (BlobNotFound, InvalidMessage):
            return None

    def write_catalogue(self, catalogue: Catalogue) -> None:
        """Say which models the scorers have by themselves."""
        self._store.write(self._ref("catalogue.json"), catalogue.encode())

    def _weights(self, digest: str) -> BlobRef:
        return self._ref(f"weights/{digest}.safetensors")

    def preview_ref(self, digest: str) -> BlobRef:
        """Return the blob of the preview of a style, by the SHA-256 of its weights."""
        return self._ref(f"previews/{digest}.png")
