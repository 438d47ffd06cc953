import threading
import time

import pytest

from framebrush.errors import LockLost
from framebrush.messaging.interrupts import interrupt_thread

INTERRUPTS = 200


def test_an_interrupt_never_strikes_a_thread_that_the_interrupted_one_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would end the new thread before that said that it runs, and the first would wait for it without end."""
    monkeypatch.setattr("framebrush.messaging.interrupts.PATIENCE", 0.0)
    ended, struck = threading.Event(), threading.Semaphore(0)

    def start_threads() -> None:
        while not ended.is_set():
            try:
                thread = threading.Thread(target=time.sleep, args=(0.0005,))
                thread.start()
                thread.join()
            except LockLost:
                struck.release()

    handler = threading.Thread(target=start_threads, daemon=True)
    handler.start()
    for _ in range(INTERRUPTS):
        interrupt_thread(handler.ident or 0, LockLost)
        assert struck.acquire(timeout=30), "the interrupt struck another thread"
    ended.set()
    handler.join(30)
    assert not handler.is_alive()
