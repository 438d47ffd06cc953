"""Figures with their units."""

import pytest

from framebrush.units import duration, money, size


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 ms"),
        (0.25, "250 ms"),
        (0.9997, "1.0 s"),
        (9.94, "9.9 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.7, "1 h 00 min"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [(999, "999 B"), (1500, "1.5 kB"), (999_960, "1.0 MB"), (2e6, "2.0 MB"), (5.5e12, "5500.00 GB")],
)
def test_sizes(count: float, expected: str) -> None:
    assert size(count) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(12.345, "12.35"), (0.1234, "0.12"), (0.00456, "0.0046"), (0.00001, "0.000010")]
)
def test_amounts_of_money(value: float, expected: str) -> None:
    assert money(value) == expected
