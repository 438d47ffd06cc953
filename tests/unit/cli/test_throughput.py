import pytest

from framebrush_cli.commands.throughput import StageProgress, Throughput, estimate


def measured(*samples: tuple[float, int]) -> float | None:
    throughput = Throughput()
    for time, frames in samples:
        throughput.record(time, frames)
    return throughput.rate


def test_unknown_until_a_frame_has_passed() -> None:
    assert measured() is None
    assert measured((0, 0)) is None
    assert measured((0, 40), (10, 40)) is None


def test_frames_from_before_the_watch_do_not_count() -> None:
    assert measured((0, 100), (10, 150)) == 5


def test_the_last_minute_counts() -> None:
    samples = [(float(second), 100 * second) for second in range(101)]
    samples += [(100.0 + second, 10_000 + second) for second in range(1, 61)]
    assert measured(*samples) == pytest.approx(1)


def test_a_pause_slows_it_down_once_the_next_frames_are_overdue() -> None:
    assert measured((0, 0), (10, 100), (20, 100)) == 10
    assert measured((0, 0), (10, 100), (40, 100)) == 5


@pytest.mark.parametrize(("every", "step"), [(1, 5), (5, 22), (14, 60), (55, 250)])
def test_the_time_left_falls_while_work_is_steady(every: int, step: int) -> None:
    throughput, told, end = Throughput(), list[float](), 12 * every
    for second in range(end):
        done = step * (second // every)
        throughput.record(second, done)
        scored = StageProgress(done, throughput.rate, throughput.pause)
        left = estimate(12 * step, stages(StageProgress(12 * step, None), scored, scored))
        if left is not None:
            told.append(left)
            assert left == pytest.approx(end - second)
    assert len(told) == end - every


def test_a_pause_of_a_minute_is_unknown_again() -> None:
    assert measured((0, 0), (10, 100), *((10.0 + second, 100) for second in range(62))) is None


def stages(split: StageProgress, scored: StageProgress, encoded: StageProgress) -> dict[str, StageProgress]:
    return {"split": split, "scored": scored, "encoded": encoded}


NOTHING = StageProgress(0, None)
THROUGH = StageProgress(100, 50)


def test_the_slowest_stage_decides() -> None:
    assert estimate(100, stages(StageProgress(50, 50), StageProgress(20, 4), StageProgress(0, 10))) == 20


def test_no_estimate_from_a_fast_stage_alone() -> None:
    assert estimate(100, stages(StageProgress(50, 50), NOTHING, NOTHING)) is None


def test_the_encoder_is_taken_to_keep_pace_until_its_first_segment() -> None:
    assert estimate(100, stages(THROUGH, StageProgress(20, 4), NOTHING)) == 20


def test_no_estimate_when_nothing_is_known_of_what_is_left() -> None:
    assert estimate(100, stages(THROUGH, THROUGH, NOTHING)) is None
