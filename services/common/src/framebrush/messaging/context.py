"""The run that the message in hand belongs to, for log lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_run: ContextVar[str | None] = ContextVar("run", default=None)


def current_run() -> str | None:
    """Return the id of the run that the current thread works for, None if it works for none."""
    return _run.get()


def bind_run(run_id: str | None) -> None:
    """Set the run that the current message belongs to, as soon as it is known."""
    _run.set(run_id)


@contextmanager
def run_context(run_id: str | None) -> Iterator[None]:
    """Give every log line within the block the run's id."""
    token = _run.set(run_id)
    try:
        yield
    finally:
        _run.reset(token)
