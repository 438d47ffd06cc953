"""One dispatcher at a time looks at the dead letters, and goes on where the one before it stopped.

A look costs credits of Service Bus. So all dispatchers know from a document in the work container who looks, and how
far it is. Nothing depends on it: if two of them look at the same time, both find what they do done.
"""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol

from pydantic import AwareDatetime, Field

from framebrush.contracts import BlobRef, Document, Model
from framebrush.errors import BlobNotFound, Conflict, InvalidMessage
from framebrush.storage import Store

NAME = "dead-letters.json"
PATIENCE = 2
"""The intervals after which another dispatcher takes over from one that has stopped looking."""

Whole = Annotated[int, Field(ge=0)]


class Place(Model):
    """How far the look at one queue is, in sequence numbers, and how many dead letters it has seen."""

    following: Whole = 1
    """Where the sweep goes on."""
    highest: Whole = 0
    """The highest number that was seen."""
    count: Whole = 0
    """The dead letters that the sweep has seen."""
    total: Whole = 0
    """The dead letters that lie there, as of the last sweep."""


class Looked(Document):
    """Who looks, and when and how far it looked last."""

    watcher: str
    at: AwareDatetime
    places: dict[str, Place]


class Watch(Protocol):
    """What looks at the dead letters."""

    places: dict[str, Place]
    """How far it is with each queue. When another dispatcher was further, it goes on there."""

    def __call__(self) -> None:
        """Look once."""


class Lookout:
    """Lets the watch of this dispatcher look if it is this one's turn."""

    def __init__(self, store: Store, container: str, watch: Watch, interval: float) -> None:
        """Set what is shared.

        Args:
            store: Where the document is.
            container: The work container.
            watch: What looks.
            interval: The seconds between two looks.
        """
        self._store, self._ref = store, BlobRef(container=container, name=NAME)
        self._watch, self._patience = watch, timedelta(seconds=PATIENCE * interval)
        self._me = uuid.uuid4().hex

    def __call__(self) -> None:
        """Look, unless another dispatcher does.

        Raises:
            Unavailable: The broker or storage is away.
        """
        etag, found = self._read()
        now = datetime.now(UTC)
        if found and found.watcher != self._me:
            if now < found.at + self._patience:
                return
            self._watch.places = found.places
        mine = Looked(watcher=self._me, at=now, places=self._watch.places).encode()
        try:
            self._store.write(self._ref, mine, if_match=etag, if_absent=etag is None)
        except (Conflict, BlobNotFound):  # Another one was faster.
            return
        self._watch()

    def _read(self) -> tuple[str | None, Looked | None]:
        """Return the ETag of the document, and what it says; None for either that there is not."""
        try:
            etag = self._store.stat(self._ref).etag
            return etag, Looked.decode(self._store.read(self._ref, etag=etag))
        except BlobNotFound:
            return None, None
        except Conflict:  # It was written in between, by the one who looks.
            return etag, None
        except InvalidMessage:  # of a later release, or damaged: it is written anew
            return etag, None
