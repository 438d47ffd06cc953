import json
from pathlib import Path

from framebrush_cli.local import Follower, readable, tail


def test_json_lines_become_text() -> None:
    line = {
        "time": "2026-01-02T03:04:05.678+00:00", "level": "INFO", "service": "scorer", "run": "a-1",
        "logger": "framebrush.worker", "message": "handled", "queue": "batches",
    }  # fmt: skip
    assert readable(json.dumps(line)) == "03:04:05 INFO    [a-1] handled queue=batches"
    del line["run"]
    assert readable(json.dumps(line | {"exception": "Traceback …"})).endswith("handled queue=batches\nTraceback …")


def test_other_lines_stay() -> None:
    for line in ("Segmentation fault", "17", "[]", '{"message": "no time"}', ""):
        assert readable(line) == line


def test_tail(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    assert tail(path, 3) == []
    path.write_text("one\ntwo\nthree\n")
    assert tail(path, 2) == ["two", "three"]


def test_follower_waits_for_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    follower = Follower("a", path)
    assert follower.read() == []
    path.write_text("one\ntw")
    assert follower.read() == ["one"]
    with path.open("a") as file:
        file.write("o\nthree\n")
    assert follower.read() == ["two", "three"]
    assert follower.read() == []
