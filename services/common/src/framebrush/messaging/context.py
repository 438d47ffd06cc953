"""Which run the message in hand belongs to."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_run: ContextVar[str | None] = ContextVar("run", default=None)


def current_run() -> str | None:
    """The run that the current thread works for."""
    return _run.get()


def bind_run(run_id: str | None) -> None:
    """Say which run the current message belongs to, as soon as it is known."""
    _run.set(run_id)


@contextmanager
def run_context(run_id: str | None) -> Iterator[None]:
    """Every log line within the block carries the run's id."""
    token = _run.set(run_id)
    try:
        yield
    finally:
        _run.reset(token)
