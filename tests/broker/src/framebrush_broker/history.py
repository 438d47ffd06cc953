"""The history of a queue's duplicate detection: which MessageIds were sent when."""

from collections.abc import Mapping

from framebrush_broker.entry import Journal


class History:
    """Remembers MessageIds, oldest first."""

    def __init__(self, queue: str, journal: Journal) -> None:
        self._queue, self._journal = queue, journal
        self._sent: dict[str, float] = {}

    def has(self, message_id: str, since: float) -> bool:
        """Whether the id was added after `since` (seconds since the epoch); older ids are forgotten."""
        while self._sent and next(iter(self._sent.values())) <= since:
            self._forget(next(iter(self._sent)))
        return message_id in self._sent

    def add(self, message_id: str, now: float) -> None:
        """Remember an id that `has` does not know."""
        self._sent[message_id] = now
        self._journal.sent(self._queue, message_id, now)

    def clear(self) -> None:
        """Forget all ids."""
        for message_id in list(self._sent):
            self._forget(message_id)

    def restore(self, sent: Mapping[str, float]) -> None:
        """Take back what a journal kept: ids and their times, oldest first."""
        self._sent = dict(sent)

    def _forget(self, message_id: str) -> None:
        del self._sent[message_id]
        self._journal.forgotten(self._queue, message_id)
