"""A sample of ``make faults``: runs that are disturbed on the wire end with the bytes of an undisturbed one."""

import os
from collections.abc import Iterator

import pytest
from support.faults import KINDS, Kind
from support.wired import Outcome, Wired, wired

from framebrush_cli.errors import CommandFailed

SEED = 20261126
SAMPLE = (
    ("broker", "silence half for ever"),
    ("broker", "reset after the effect"),
    ("storage", "cut in mid-answer"),
    ("storage", "503 with Retry-After: 2"),
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
@pytest.mark.parametrize("kind", [kind for kind in KINDS if (kind.backend, kind.name) in SAMPLE], ids=str)
def test_a_disturbed_run_ends_right(system: Wired, kind: Kind) -> None:
    outcome = Outcome(kind.name, kind.backend)
    system.episode(kind, SEED, 1, outcome)
    outcome.letters = system.letters()
    assert outcome.good, outcome


def test_the_sample_names_kinds() -> None:
    assert set(SAMPLE) <= {(kind.backend, kind.name) for kind in KINDS}
