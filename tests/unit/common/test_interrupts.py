import threading

import pytest

from framebrush.errors import LockLost
from framebrush.messaging.interrupts import interrupt_thread

INTERRUPTS = 300


def test_an_interrupt_never_strikes_a_thread_that_the_interrupted_one_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end the new thread before that said that it runs, and the first would wait for it without end."""
    monkeypatch.setattr("framebrush.messaging.interrupts.PATIENCE", 0.0)
    ended, struck = threading.Event(), list[int]()

    def start_threads() -> None:
        while not ended.is_set():
            try:
                thread = threading.Thread(target=lambda: None)
                thread.start()
                thread.join()
            except LockLost:
                struck.append(1)

    handler = threading.Thread(target=start_threads, daemon=True)
    handler.start()
    for _ in range(INTERRUPTS):
        interrupt_thread(handler.ident or 0, LockLost)
    ended.set()
    handler.join(30)
    assert not handler.is_alive()
    assert struck
