"""Makes log lines readable for a person."""

import json
from pathlib import Path

FIELDS = ("time", "level", "service", "pod", "run", "logger", "message", "exception")


def readable(line: str) -> str:
    """Return a JSON line of a service as text, and any other line as it is."""
    try:
        record = json.loads(line)
        moment, level, message = record["time"][11:19], record["level"], record["message"]
    except (ValueError, KeyError, TypeError):
        return line
    run = f" [{record['run']}]" if record.get("run") else ""
    data = "".join(f" {name}={value}" for name, value in record.items() if name not in FIELDS)
    exception = f"\n{record['exception']}" if record.get("exception") else ""
    return f"{moment} {level:7}{run} {message}{data}{exception}"


def tail(path: Path, count: int) -> list[str]:
    """Return the last lines of a log file, readable; the list is empty if there is no such file."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []
    return [readable(line) for line in lines[-count:]]


class Follower:
    """Reads what is appended to a file, line by line."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self._path = name, path
        self._position, self._rest = 0, b""

    def read(self) -> list[str]:
        """Return the whole lines since the last call, readable."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                data = file.read()
        except FileNotFoundError:
            return []
        self._position += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [readable(line.decode(errors="replace")) for line in lines]
