import json
from pathlib import Path
from typing import Any

import pytest

from framebrush_broker.errors import BadRequest
from framebrush_broker.options import QueueOptions, check_name, read_queues

DEFAULTS = {"lock_duration_s": 30.0, "max_delivery_count": 5}


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_toml_and_json_read_the_same(tmp_path: Path) -> None:
    options = {
        "lock_duration_s": 5,
        "duplicate_detection_window_s": 600.5,
        "dead_lettering_on_message_expiration": True,
    }
    toml = "[queues.a]\n[queues.b]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in options.items())
    expected = {"a": QueueOptions(30.0, 5), "b": QueueOptions(**{**DEFAULTS, **options})}  # type: ignore[arg-type]
    assert read_queues(write(tmp_path / "q.toml", toml), DEFAULTS) == expected
    document = json.dumps({"queues": {"a": {}, "b": options}})
    assert read_queues(write(tmp_path / "q.json", document), DEFAULTS) == expected


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("[queue.a]", 'one table "queues"'),
        ("queues = 1", 'one table "queues"'),
        ("[queues]\na = 1", "Queue 'a': its options must be a table"),
        ("[queues.a]\nlock = 1", "Queue 'a': unknown option 'lock'; options are .*lock_duration_s"),
        ("[queues.a]\nlock_duration_s = 301", "Queue 'a': lock_duration_s is 301"),
        ("[queues.a]\nlock_duration_s = 'x'", "lock_duration_s is 'x'"),
        ("[queues.a]\nmax_delivery_count = 0", "max_delivery_count is 0; it must be above 0"),
        ("[queues.a]\nmax_delivery_count = 1.5", "max_delivery_count is 1.5"),
        ("[queues.a]\nmax_size_mb = true", "max_size_mb is True"),
        ("[queues.a]\ndead_lettering_on_message_expiration = 1", "dead_lettering_on_message_expiration is 1"),
        ("[queues.'$a']", "'\\$a' is no queue name"),
        ("queues = ", "Invalid value"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path: Path, document: str, said: str) -> None:
    with pytest.raises(BadRequest, match=said) as caught:
        read_queues(write(tmp_path / "q.toml", document), DEFAULTS)
    assert "q.toml" in str(caught.value)


@pytest.mark.parametrize("name", ["a", "frames", "team/frames", "a-b_c.d", "x" * 260])
def test_queue_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "/a", "a/", "$management", "a$b", "a?b", "a#b", "a\\b", "x" * 261])
def test_what_is_no_queue_name(name: str) -> None:
    with pytest.raises(BadRequest, match="is no queue name"):
        check_name(name)


@pytest.mark.parametrize("values", [{"default_time_to_live_s": None}, {"duplicate_detection_window_s": 1}])
def test_optional_durations(values: dict[str, Any]) -> None:
    assert QueueOptions(**values)
