"""Queues on disk: a SQLite file in WAL mode, written in groups.

Changes collect in memory; `commit` writes them in one transaction. The server commits before it lets any byte out to a
client, so nothing is acknowledged that a `kill -9` could lose. Data is not forced to the disk on each commit
(`synchronous=NORMAL`): after a power failure the file is intact, but the last moments may be missing.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from framebrush_broker.entry import Entry, State
from framebrush_broker.errors import BadRequest
from framebrush_broker.messages import Message
from framebrush_broker.options import QueueOptions

_VERSION = 1
_SCHEMA = f"""
CREATE TABLE queue (
    name TEXT PRIMARY KEY, options TEXT NOT NULL, last_sequence INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL, updated_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE message (
    queue TEXT NOT NULL, sequence INTEGER NOT NULL, payload BLOB NOT NULL, size INTEGER NOT NULL,
    enqueued_at REAL NOT NULL, expires_at REAL, state INTEGER NOT NULL, delivery_count INTEGER NOT NULL,
    PRIMARY KEY (queue, sequence)
) WITHOUT ROWID;
CREATE TABLE sent (
    queue TEXT NOT NULL, message_id TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (queue, message_id)
) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""


@dataclass(frozen=True, slots=True)
class StoredQueue:
    """A queue as found in the file."""

    name: str
    options: QueueOptions
    last_sequence: int
    created_at: float
    updated_at: float


class MemoryStore:
    """Keeps nothing: the queues live as long as the process."""

    def put(self, queue: str, entry: Entry) -> None:
        """Do nothing."""

    def remove(self, queue: str, entry: Entry) -> None:
        """Do nothing."""

    def sent(self, queue: str, message_id: str, at: float) -> None:
        """Do nothing."""

    def forgotten(self, queue: str, message_id: str) -> None:
        """Do nothing."""

    def save_queue(self, queue: StoredQueue) -> None:
        """Do nothing."""

    def delete_queue(self, name: str) -> None:
        """Do nothing."""

    def commit(self, last_sequences: Mapping[str, int]) -> None:
        """Do nothing."""

    def queues(self) -> list[StoredQueue]:
        """Return no queues."""
        return []

    def entries(self, queue: str) -> Iterator[Entry]:
        """Return no messages."""
        return iter(())

    def remembered(self, queue: str, since: float) -> dict[str, float]:
        """Return no message ids."""
        return {}

    def close(self) -> None:
        """Do nothing."""


class FileStore(MemoryStore):
    """Keeps queues in the SQLite file `path`, created when absent. Raises BadRequest for a file that is not ours."""

    def __init__(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._db.executescript(f"BEGIN EXCLUSIVE; {_SCHEMA} COMMIT;")
        except sqlite3.Error as error:
            raise BadRequest(
                f"Cannot use {path} as data file: {error}. Name another, or stop its other user."
            ) from None
        if version not in (0, _VERSION):
            raise BadRequest(f"{path} has data of version {version}, this broker reads {_VERSION}: name another file.")
        self._changed: dict[tuple[str, int], Entry | None] = {}
        self._sent: dict[tuple[str, str], float | None] = {}

    def put(self, queue: str, entry: Entry) -> None:
        """Insert or replace an entry at the next commit."""
        self._changed[queue, entry.sequence] = entry

    def remove(self, queue: str, entry: Entry) -> None:
        """Delete an entry at the next commit."""
        self._changed[queue, entry.sequence] = None

    def sent(self, queue: str, message_id: str, at: float) -> None:
        """Remember a MessageId at the next commit."""
        self._sent[queue, message_id] = at

    def forgotten(self, queue: str, message_id: str) -> None:
        """Forget a MessageId at the next commit."""
        self._sent[queue, message_id] = None

    def save_queue(self, queue: StoredQueue) -> None:
        """Write a queue's options at once."""
        self._db.execute(
            "INSERT INTO queue VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE"
            " SET options = excluded.options, updated_at = excluded.updated_at",
            (queue.name, json.dumps(asdict(queue.options)), queue.last_sequence, queue.created_at, queue.updated_at),
        )

    def delete_queue(self, name: str) -> None:
        """Delete a queue and all it holds at once."""
        self.commit({})
        with _transaction(self._db):
            self._db.execute("DELETE FROM queue WHERE name = ?", (name,))
            self._db.execute("DELETE FROM message WHERE queue = ? OR queue LIKE ? || '/$%'", (name, name))
            self._db.execute("DELETE FROM sent WHERE queue = ?", (name,))

    def commit(self, last_sequences: Mapping[str, int]) -> None:
        """Write all changes in one transaction; `last_sequences` gives the last number used, by queue."""
        if not self._changed and not self._sent:
            return
        rows = [
            (*key, e.message.encode(), e.size, e.enqueued_at, e.expires_at, e.state, e.delivery_count)
            for key, e in self._changed.items()
            if e is not None
        ]
        gone = [key for key, entry in self._changed.items() if entry is None]
        sent = [(*key, at) for key, at in self._sent.items() if at is not None]
        forgotten = [key for key, at in self._sent.items() if at is None]
        touched = {queue for queue, _ in self._changed}
        numbers = [(number, name) for name, number in last_sequences.items() if name in touched]
        with _transaction(self._db):
            self._db.executemany("DELETE FROM message WHERE queue = ? AND sequence = ?", gone)
            self._db.executemany("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._db.executemany("INSERT OR REPLACE INTO sent VALUES (?, ?, ?)", sent)
            self._db.executemany("DELETE FROM sent WHERE queue = ? AND message_id = ?", forgotten)
            self._db.executemany("UPDATE queue SET last_sequence = ? WHERE name = ?", numbers)
        self._changed.clear()
        self._sent.clear()

    def queues(self) -> list[StoredQueue]:
        """Read the queues."""
        rows = self._db.execute("SELECT name, options, last_sequence, created_at, updated_at FROM queue")
        return [StoredQueue(row[0], QueueOptions(**json.loads(row[1])), *row[2:]) for row in rows]

    def entries(self, queue: str) -> Iterator[Entry]:
        """Read the messages of a queue, by sequence number."""
        rows = self._db.execute(
            "SELECT sequence, payload, size, enqueued_at, expires_at, state, delivery_count FROM message"
            " WHERE queue = ? ORDER BY sequence",
            (queue,),
        )
        for sequence, payload, size, enqueued_at, expires_at, state, delivery_count in rows:
            message = Message.decode(payload)
            yield Entry(sequence, message, size, enqueued_at, expires_at, State(state), delivery_count)

    def remembered(self, queue: str, since: float) -> dict[str, float]:
        """Read the message ids sent after `since`, oldest first, and forget the others."""
        self._db.execute("DELETE FROM sent WHERE queue = ? AND at <= ?", (queue, since))
        return dict(self._db.execute("SELECT message_id, at FROM sent WHERE queue = ? ORDER BY at", (queue,)))

    def close(self) -> None:
        """Close the file; changes not committed are lost."""
        self._db.close()


class _transaction:  # noqa: N801 - reads as a statement
    """BEGIN … COMMIT, or ROLLBACK when the block raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN")

    def __exit__(self, kind: object, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
