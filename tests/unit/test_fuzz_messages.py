"""A sample of ``make fuzz-messages``: whatever a message says, it is handled or refused, and harms no other run."""

import pytest
from support.fuzz_messages import Target, small_film

from framebrush.contracts import QUEUES

COUNT = 200


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return Target(small_film(tmp_path_factory.mktemp("film")))


@pytest.mark.parametrize("queue", QUEUES)
def test_mutated_messages_crash_no_handler_and_harm_no_later_run(target: Target, queue: str) -> None:
    tally = target.fuzz(queue, range(COUNT))
    assert tally.crashes == []
    assert tally.unharmed
    assert tally.outcomes["handled"] > COUNT / 50, "mutations that leave nothing valid reach no handler"
    assert tally.outcomes["refused: invalid_message"] > COUNT / 10
