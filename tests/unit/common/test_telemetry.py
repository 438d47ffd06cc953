import json
import logging
import os
import threading
from datetime import datetime

import pytest

from framebrush.messaging import bind_run, current_run, run_context
from framebrush.service import JsonFormatter, configure_logging


@pytest.fixture
def log() -> logging.Logger:
    return logging.getLogger("framebrush.test")


@pytest.fixture(autouse=True)
def restored_logging() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def test_a_line_is_one_json_object_with_the_run(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("splitter", "INFO")
    with run_context("harbour-1"):
        log.info("planned\nin %d segments", 2, extra={"data": {"frames": 140}})
    (line,) = capsys.readouterr().out.splitlines()
    content = json.loads(line)
    assert datetime.fromisoformat(content.pop("time")).tzinfo is not None
    assert content == {
        "level": "INFO",
        "service": "splitter",
        "pod": os.uname().nodename,
        "run": "harbour-1",
        "logger": "framebrush.test",
        "message": "planned\nin 2 segments",
        "frames": 140,
    }


def test_outside_of_a_run_the_run_is_null(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("splitter", "INFO")
    log.info("started")
    assert json.loads(capsys.readouterr().out)["run"] is None


def test_lines_below_the_level_are_left_out(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("splitter", "WARNING")
    log.info("not worth a line")
    log.warning("worth one")
    assert [json.loads(line)["message"] for line in capsys.readouterr().out.splitlines()] == ["worth one"]


def test_an_exception_stays_on_its_line(log: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("splitter", "INFO")
    try:
        raise ValueError("odd")
    except ValueError:
        log.exception("failed")
    (line,) = capsys.readouterr().out.splitlines()
    assert "ValueError: odd" in json.loads(line)["exception"]


def test_what_json_cannot_say_is_said_in_text() -> None:
    record = logging.LogRecord("a", logging.INFO, "a.py", 1, "so", None, None)
    record.data = {"thing": {1}}
    assert json.loads(JsonFormatter("scorer").format(record))["thing"] == "{1}"


def test_a_run_is_bound_until_the_end_of_its_block() -> None:
    with run_context(None):
        assert current_run() is None
        bind_run("a")
        assert current_run() == "a"
        with run_context("b"):
            assert current_run() == "b"
        assert current_run() == "a"
    assert current_run() is None


def test_threads_do_not_share_runs() -> None:
    seen = list[str | None]()
    with run_context("a"):
        thread = threading.Thread(target=lambda: seen.append(current_run()))
        thread.start()
        thread.join()
    assert seen == [None]
