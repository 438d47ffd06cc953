import pytest
from chaos.scenario import BEYOND, CELLS, LOCK, SERVICES, Cell, Disturbance, Kind, Moment, Stage, draw
from hypothesis import given, settings
from hypothesis import strategies as st

seeds = st.integers(0, 10**9)


@settings(deadline=None)
@given(seeds)
def test_a_seed_always_does_the_same(seed: int) -> None:
    assert draw(seed) == draw(seed)


def test_seeds_differ() -> None:
    assert len({str(draw(seed).disturbances) for seed in range(200)}) == 200


@pytest.mark.parametrize("block", range(5))
def test_each_block_of_seeds_goes_through_all_cells(block: int) -> None:
    first = [draw(seed).disturbances[0].cell for seed in range(block * len(CELLS), (block + 1) * len(CELLS))]
    assert sorted(map(str, first)) == sorted(map(str, CELLS))


def test_every_cell_is_hit_at_least_ten_times_in_200_seeds() -> None:
    hit = [disturbance.cell for seed in range(200) for disturbance in draw(seed).disturbances]
    assert min(hit.count(cell) for cell in CELLS) >= 10


def test_azurite_is_never_killed_since_it_loses_what_it_acknowledged() -> None:
    assert not [cell for cell in CELLS if cell.victim == "azurite" and cell.kind is Kind.KILL]


@settings(deadline=None)
@given(seeds)
def test_two_or_three_runs_are_disturbed_one_to_three_times(seed: int) -> None:
    scenario = draw(seed)
    assert 2 <= len(scenario.models) == len(scenario.delays) <= 3
    assert 1 <= len(scenario.disturbances) <= 3
    assert scenario.delays[0] == 0


@settings(deadline=None)
@given(seeds)
def test_a_disturbance_names_pods_that_exist_and_a_run_that_is_submitted(seed: int) -> None:
    scenario = draw(seed)
    for disturbance in scenario.disturbances:
        count = SERVICES.get(disturbance.cell.victim.partition("'")[0], 1)
        assert disturbance.pods
        assert set(disturbance.pods) <= set(range(count))
        assert 0 <= disturbance.moment.run < len(scenario.models)
        assert 0 <= disturbance.moment.share <= 1


@settings(deadline=None)
@given(seeds)
def test_only_what_is_frozen_lasts_and_pods_sleep_longer_than_their_locks(seed: int) -> None:
    for disturbance in draw(seed).disturbances:
        if disturbance.cell.kind is not Kind.FREEZE:
            assert disturbance.seconds == 0
        elif disturbance.cell.victim in SERVICES:
            assert BEYOND[0] <= disturbance.seconds - LOCK <= BEYOND[1]
        else:
            assert 2 <= disturbance.seconds <= 10


def test_moments_cover_all_stages_of_a_backend() -> None:
    disturbances = [disturbance for seed in range(400) for disturbance in draw(seed).disturbances]
    assert {each.moment.stage for each in disturbances if each.cell.victim == "broker"} == set(Stage)


def test_a_disturbance_reads_well() -> None:
    moment = Moment(1, Stage.SCORED, 0.5, 0.25)
    frozen = Disturbance(Cell(Kind.FREEZE, "scorer"), (0, 1), moment, 8.0, in_hand=True)
    assert str(frozen) == "SIGSTOP scorer 1+2 for 8.0 s at run 1 styled 50% + 0.25 s, in hand"
