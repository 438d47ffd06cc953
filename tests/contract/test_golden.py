"""The wire format, pinned: when a contract changes a test here fails, and the change needs a new version."""

import json
import re
from pathlib import Path

import pytest

from framebrush.contracts import QUEUES, Document, Message, RunRequest, Trigger, decode
from framebrush.errors import InvalidMessage

GOLDEN = Path(__file__).with_name("golden")


def read(name: str) -> bytes:
    return (GOLDEN / f"{name}.json").read_bytes()


def test_decoding_the_golden_file_gives_the_object(contract: tuple[str, Document]) -> None:
    name, document = contract
    assert type(document).decode(read(name)) == document


def test_encoding_the_object_gives_the_golden_file(contract: tuple[str, Document]) -> None:
    name, document = contract
    assert json.loads(document.encode()) == json.loads(read(name))


def test_a_message_is_decoded_in_its_own_queue(message: Message) -> None:
    expected = Trigger(requests=(message,)) if isinstance(message, RunRequest) else message
    assert decode(message.queue, message.encode(), input_container="input") == expected


def test_a_message_is_refused_in_every_other_queue(message: Message) -> None:
    for queue in set(QUEUES) - {message.queue, getattr(message, "former_queue", None)}:
        with pytest.raises(InvalidMessage, match="kind"):
            decode(queue, message.encode(), input_container="input")


def test_events_become_requests(event: tuple[str, tuple[RunRequest, ...]]) -> None:
    name, requests = event
    trigger = Trigger.decode(read(name), input_container="input")
    each = [Trigger.decode(member.encode(), input_container="input") for member in trigger.members] or [trigger]
    assert tuple(request for trigger in each for request in trigger.requests) == requests


def test_every_golden_file_is_tested(golden_names: set[str]) -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == golden_names


def test_the_documentation_shows_the_golden_files_and_nothing_else() -> None:
    page = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text()
    shown = [json.loads(block.split("```", 1)[0]) for block in page.split("```json\n")[1:]]
    golden = [json.loads(path.read_bytes()) for path in GOLDEN.iterdir()]
    assert sorted(map(json.dumps, shown)) == sorted(map(json.dumps, golden))


def test_the_documentation_lists_every_reason() -> None:
    page = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text()
    sources = Path(__file__).parents[2].glob("services/*/src/**/*.py")
    reasons = {found for path in sources for found in re.findall(r'\breason(?:: .*)? = "(\w+)"', path.read_text())}
    assert {"invalid_message", "unknown_model"} <= reasons
    assert {reason for reason in reasons if f"| `{reason}` |" not in page} == set()
