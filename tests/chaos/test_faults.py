"""A sample of ``make faults``: runs that are disturbed on the wire end with the bytes of an undisturbed one."""

import os
from collections.abc import Iterator

import pytest
from support.faults import KINDS
from support.wired import Outcome, Wired, wired

from framebrush_cli.errors import CommandFailed

SEED = 20261126
#: Silence comes last: what the broker has given to a silent connection stays locked, and later runs would wait for it.
SAMPLE = (
    "storage: cut in mid-answer",
    "storage: 503 with Retry-After: 2",
    "broker: reset after the effect",
    "broker: silence half for ever",
)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    try:
        with wired(tmp_path_factory.mktemp("wired")) as system:
            yield system
    except CommandFailed as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_a_disturbed_run_ends_right(system: Wired, name: str) -> None:
    [kind] = [kind for kind in KINDS if str(kind) == name]
    outcome = Outcome(kind.name, kind.backend)
    for seed in range(SEED, SEED + 10):
        system.episode(kind, seed, 1, outcome)
        if outcome.hits:  # a run may be over before the fault meets it
            break
    outcome.letters = system.letters()
    assert outcome.good, outcome
