import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebrush_broker.errors import BadRequest
from framebrush_broker.faults import MAX_SKIP, UNKIND, FaultOptions, Faults


def draws(faults: Faults) -> list[tuple[bool, bool, bool, int]]:
    return [
        (faults.loses_settlement(), faults.forgets_duplicates(), faults.is_busy(), faults.skip()) for _ in range(200)
    ]


def test_nothing_happens_unless_asked_for() -> None:
    assert set(draws(Faults(FaultOptions()))) == {(False, False, False, 0)}


def test_a_seed_repeats() -> None:
    def by_seed(seed: int) -> list[tuple[bool, bool, bool, int]]:
        return draws(Faults(FaultOptions(seed, lost_settlements=0.5, reordered=0.5, busy=0.5)))

    assert by_seed(1) == by_seed(1) != by_seed(2)


def test_one_kind_does_not_move_another() -> None:
    alone = Faults(FaultOptions(3, busy=0.5))
    among_others = Faults(FaultOptions(3, busy=0.5, reordered=0.5, lost_settlements=1))
    assert [draw[2] for draw in draws(alone)] == [draw[2] for draw in draws(among_others)]


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 1.0])
def test_a_share_is_kept(share: float) -> None:
    faults = Faults(FaultOptions(busy=share))
    happened = collections.Counter(faults.is_busy() for _ in range(5000))
    assert happened[True] == pytest.approx(5000 * share, rel=0.3)


@given(st.integers(0, 1000))
def test_a_skip_is_within_its_bound(seed: int) -> None:
    faults = Faults(FaultOptions(seed, reordered=1))
    assert all(1 <= faults.skip() <= MAX_SKIP for _ in range(20))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"busy": 1.5}, "busy is 1.5; it must be a share from 0 to 1"),
        ({"reordered": -0.1}, "reordered is -0.1"),
        ({"detach_idle_s": 0}, "detach_idle_s is 0; it must be above 0"),
        ({"close_idle_s": -1}, "close_idle_s is -1"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, float], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        FaultOptions(**values)  # type: ignore[arg-type]


def test_unkind_turns_everything_on() -> None:
    assert all(getattr(UNKIND, name) for name in FaultOptions.__dataclass_fields__ if name != "seed")
