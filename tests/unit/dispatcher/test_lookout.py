"""Of several dispatchers one looks at the dead letters, and the next one goes on where it stopped."""

from datetime import UTC, datetime, timedelta

import pytest

from framebrush.contracts import BlobRef
from framebrush.storage import MemoryStore
from framebrush_dispatcher import lookout as module
from framebrush_dispatcher.lookout import Lookout, Place

INTERVAL = 30.0


class Clock(datetime):
    """The time as tests set it."""

    present = datetime(2026, 11, 2, tzinfo=UTC)

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        return cls.present


class Watch:
    """Counts its looks; each sees ten letters more."""

    def __init__(self) -> None:
        self.looks, self.places = 0, {"splits": Place()}

    def __call__(self) -> None:
        self.looks += 1
        place = self.places["splits"]
        self.places = {"splits": Place(following=place.following + 10, highest=place.highest + 10)}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> type[Clock]:
    monkeypatch.setattr(module, "datetime", Clock)
    monkeypatch.setattr(Clock, "present", Clock.present)
    return Clock


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_one_of_three_looks(store: MemoryStore, clock: type[Clock]) -> None:
    watches = [Watch() for _ in range(3)]
    lookouts = [Lookout(store, "work", watch, INTERVAL) for watch in watches]
    for _ in range(20):
        for each in lookouts:
            each()
        clock.present += timedelta(seconds=INTERVAL)
    assert [watch.looks for watch in watches] == [20, 0, 0]


def test_another_one_goes_on_where_the_first_one_stopped(store: MemoryStore, clock: type[Clock]) -> None:
    first, second = Watch(), Watch()
    looks = Lookout(store, "work", first, INTERVAL)
    takes_over = Lookout(store, "work", second, INTERVAL)
    for _ in range(5):
        looks()
        clock.present += timedelta(seconds=INTERVAL)
    takes_over()
    assert second.looks == 0, "the first one may be late"
    clock.present += timedelta(seconds=INTERVAL)
    takes_over()
    assert (second.looks, second.places["splits"]) == (1, Place(following=51, highest=50)), "as of its last look"
    looks()
    assert first.looks == 5, "it has been relieved"


def test_two_that_come_at_once_look_once(store: MemoryStore) -> None:
    """The second one reads before the first one writes."""
    first, second = Watch(), Watch()
    rival = Lookout(store, "work", second, INTERVAL)

    class Racing(MemoryStore):
        def write(self, *arguments: object, **options: object) -> str:
            rival()
            return store.write(*arguments, **options)  # type: ignore[arg-type]

    Lookout(Racing(), "work", first, INTERVAL)()
    assert (first.looks, second.looks) == (0, 1)


@pytest.mark.parametrize("content", [b"no JSON", b'{"version": 2}', b"{}"])
def test_a_document_that_cannot_be_read_is_written_anew(store: MemoryStore, content: bytes) -> None:
    store.write(BlobRef(container="work", name=module.NAME), content)
    watch = Watch()
    Lookout(store, "work", watch, INTERVAL)()
    assert watch.looks == 1
    other = Watch()
    Lookout(store, "work", other, INTERVAL)()
    assert other.looks == 0
