import sqlite3
from contextlib import closing
from pathlib import Path

import proton
import pytest

from framebrush_broker.errors import BadRequest, NotSupported, QueueExists, QueueNotFound
from framebrush_broker.messages import Message
from framebrush_broker.namespace import Namespace, entity_path
from framebrush_broker.options import QueueOptions
from framebrush_broker.store import FileStore

OPTIONS = QueueOptions(lock_duration_s=7, duplicate_detection_window_s=60)


def message(message_id: str) -> Message:
    return Message.decode(bytes(proton.Message(id=message_id, body=b"x", properties={"k": 1}, inferred=True).encode()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.db"


@pytest.fixture
def namespace() -> Namespace:
    namespace = Namespace(clock=lambda: 1000.0)
    namespace.create("frames", OPTIONS)
    namespace.create("team/Frames", OPTIONS)
    return namespace


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("frames", "frames"),
        ("/Frames", "frames"),
        ("amqps://host:5671/frames", "frames"),
        ("sb://host/TEAM/frames/", "team/Frames"),
        ("frames/$DeadLetterQueue", "frames/$DeadLetterQueue"),
        ("amqps://host/team/frames/$deadletterqueue", "team/Frames/$DeadLetterQueue"),
    ],
)
def test_addresses(namespace: Namespace, address: str, name: str) -> None:
    assert namespace.resolve(address).name == name


def test_addresses_of_what_is_not_there(namespace: Namespace) -> None:
    with pytest.raises(QueueNotFound, match="'missing' could not be found"):
        namespace.resolve("amqps://host/missing")
    with pytest.raises(NotSupported):
        namespace.resolve("topic/Subscriptions/s")
    with pytest.raises(NotSupported):
        namespace.resolve("frames/$Transfer/$DeadLetterQueue")


def test_entity_path_keeps_what_is_no_host() -> None:
    assert entity_path("amqps://host:1/a/b/$management") == entity_path("a/b/$management") == "a/b/$management"


def test_create_update_delete(namespace: Namespace) -> None:
    with pytest.raises(QueueExists):
        namespace.create("FRAMES", OPTIONS)
    namespace.declare({"frames": QueueOptions(max_delivery_count=2), "new": OPTIONS})
    assert [declared.queue.name for declared in namespace] == ["frames", "new", "team/Frames"]
    assert namespace.resolve("frames/$deadletterqueue").options.max_delivery_count == 2
    namespace.delete("Frames")
    with pytest.raises(QueueNotFound):
        namespace.get("frames")


def test_a_reopened_file_has_everything(path: Path) -> None:
    first = Namespace(FileStore(path), clock=lambda: 1000.0)
    queue = first.create("q", OPTIONS).queue
    first.create("gone", OPTIONS).queue.send(message("m"), 10, 1000)
    for name in ("kept", "dead", "done"):
        queue.send(message(name), 10, 1000)
    for settle in (queue.abandon, queue.dead_letter, queue.complete):
        entry = queue.receive(1000)
        assert entry
        assert entry.lock_token
        settle(entry.lock_token, 1000)
        if settle == queue.abandon:  # lock it, out of the way
            queue.receive(1000)
    first.commit()
    first.delete("gone")
    first.store.close()

    second = Namespace(FileStore(path), clock=lambda: 1001.0)
    [declared] = second
    assert (declared.queue.options, declared.created_at) == (OPTIONS, 1000)
    [entry] = declared.queue.peek(1, 9, 1001)
    assert (entry.sequence, entry.delivery_count, entry.size, entry.message) == (1, 1, 10, message("kept"))
    [dead] = declared.queue.dead_letters.peek(1, 9, 1001)
    assert (dead.sequence, dead.message.message_id) == (2, "dead")
    assert declared.queue.send(message("done"), 10, 1001) is None
    added = declared.queue.send(message("new"), 10, 1001)
    assert added
    assert added.sequence == 4
    second.store.close()


def test_what_is_not_committed_is_not_there(path: Path) -> None:
    first = Namespace(FileStore(path), clock=lambda: 1000.0)
    first.create("q", OPTIONS).queue.send(message("m"), 10, 1000)
    first.store.close()
    second = Namespace(FileStore(path), clock=lambda: 1000.0)
    assert second.resolve("q").peek(1, 9, 1000) == []
    second.store.close()


def test_message_ids_are_forgotten_after_their_window(path: Path) -> None:
    namespace = Namespace(FileStore(path), clock=lambda: 1000.0)
    queue = namespace.create("q", OPTIONS).queue
    queue.send(message("a"), 10, 1000)
    namespace.commit()
    queue.send(message("b"), 10, 1060)
    namespace.commit()
    assert namespace.store.remembered("q", 0) == {"b": 1060}
    namespace.store.close()


def test_a_data_file_in_use_is_refused(path: Path) -> None:
    store = FileStore(path)
    Namespace(store).create("q", OPTIONS)
    with pytest.raises(BadRequest, match=r"data\.db.*locked"):
        FileStore(path)
    store.close()


def test_files_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    text, newer = tmp_path / "text", tmp_path / "newer"
    text.write_text("not a database, but long enough to be looked at" * 100)
    with pytest.raises(BadRequest, match="Cannot use "):
        FileStore(text)
    with closing(sqlite3.connect(newer)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(BadRequest, match="version 99"):
        FileStore(newer)
