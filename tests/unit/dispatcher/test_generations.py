"""What failed before a run was reopened does not end it again."""

from datetime import UTC, datetime
from typing import Any

import pytest
from support.pipeline import CONNECTIONS

from framebrush.contracts import BlobRef, Failure, ItemFailed, Message, RunRequest, SegmentPlanned, State, Status
from framebrush.runs import Runs
from framebrush.storage import MemoryStore
from framebrush_dispatcher.handler import Dispatcher
from framebrush_dispatcher.settings import DispatcherSettings

INPUT = BlobRef(container="input", name="a.mp4")
FAILURE = Failure(reason="invalid_video", description="no picture in it")


@pytest.fixture
def runs() -> Runs:
    """Storage with the run ``a``, which failed once and was reopened."""
    now, runs = datetime.now(UTC), Runs(MemoryStore(), "work")
    runs.create(Status(run_id="a", state=State.PLANNING, created=now, updated=now, input=INPUT, model="identity"))
    runs.fail("a", FAILURE)
    runs.reopen("a")
    return runs


def handle(runs: Runs, item: Message, **fields: Any) -> State:
    """Tell the dispatcher that an item of the run failed; the run's state after that."""
    notice = ItemFailed(
        run_id="a",
        source=item.queue,  # type: ignore[arg-type]
        item=item.message_id,
        reason=FAILURE.reason,
        description=FAILURE.description,
        body=item.encode().decode(),
        **fields,
    )
    assert list(Dispatcher(runs.store, DispatcherSettings(**CONNECTIONS))(notice)) == []
    return runs.status("a").state


@pytest.mark.parametrize(("generation", "state"), [(0, State.PLANNING), (1, State.FAILED)])
def test_only_a_message_of_the_present_generation_ends_the_run(runs: Runs, generation: int, state: State) -> None:
    """The notice itself says nothing of it, as those of version 0.1."""
    assert handle(runs, SegmentPlanned(run_id="a", segment=0, generation=generation)) is state


def test_a_trigger_from_before_the_run_was_reopened_does_not_end_it(runs: Runs) -> None:
    assert handle(runs, RunRequest(run_id="a", input=INPUT)) is State.PLANNING


def test_a_trigger_that_was_sent_again_and_failed_again_does(runs: Runs) -> None:
    assert handle(runs, RunRequest(run_id="a", input=INPUT), generation=1) is State.FAILED
    assert runs.status("a").error == FAILURE


def test_a_failure_that_is_told_while_the_run_is_reopened_does_not_end_it(runs: Runs) -> None:
    """The status is judged as it is written, not as it was read before."""

    class Reopening(MemoryStore):
        """A store in which the run fails and is reopened just before the next write of its status."""

        armed = True

        def write(self, ref: BlobRef, data: Any, **options: Any) -> Any:
            if self.armed:
                self.armed = False
                other = Runs(self, "work")
                other.fail("a", FAILURE)
                other.reopen("a")
            return super().write(ref, data, **options)

    store = Reopening()
    vars(store).update(vars(runs.store))
    late = Runs(store, "work")
    assert not late.fail("a", FAILURE, generation=1)
    assert (late.status("a").state, late.status("a").generation) == (State.PLANNING, 2)
