"""The geometry of the charts: from figures to places in a drawing of fixed size. The template draws them as SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, LEFT, RIGHT = 720, 60, 22
"""The width of every drawing, and its margins at the sides, in units of the drawing."""
TOP, BOTTOM = 12, 26
"""The margins for the axis."""
MOST_BARS = 1500
"""The most bars of a chart. Bars that would be closer than a unit of the drawing are drawn as one."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale from 0 to ``most``, with the marks of its round numbers."""

    most: float
    begin: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the place of a value."""
        return round(self.begin + (self.end - self.begin) * value / self.most, 2)

    @property
    def marks(self) -> list[tuple[float, str]]:
        """Return the places of round numbers, with the numbers as text."""
        rough = self.most / 5
        power = 10 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        count = int(self.most / step + 1e-9)
        return [(self(number * step), f"{round(number * step, 10):g}") for number in range(count + 1)]


def across(most: float) -> Axis:
    """Return an axis over the width of a drawing."""
    return Axis(max(most, 1e-6), LEFT, WIDTH - RIGHT)


def up(most: float, height: float) -> Axis:
    """Return an axis over the height of a drawing; larger values are higher."""
    return Axis(max(most, 1e-6), height - BOTTOM, TOP)


def path(points: Sequence[tuple[float, float]]) -> str:
    """Return a line through points as the data of an SVG path."""
    return "M" + "L".join(f"{x:g},{y:g}" for x, y in points) if points else ""


def steps(values: Sequence[float], x: Axis, y: Axis) -> str:
    """Return values of equal parts of the axis as the data of a path with steps."""
    width = x.most / len(values)
    return path([point for n, v in enumerate(values) for point in ((x(n * width), y(v)), (x((n + 1) * width), y(v)))])


def bars(spans: Sequence[tuple[float, float]], x: Axis) -> list[tuple[float, float]]:
    """Return the beginnings and the widths of bars for spans that increase and do not overlap."""
    found = list[list[float]]()
    for begin, end in spans:
        left, right = x(begin), x(end)
        if found and left - found[-1][1] < WIDTH / MOST_BARS:
            found[-1][1] = right
        else:
            found.append([left, right])
    return [(left, round(max(right - left, 1.0), 2)) for left, right in found]


def histogram(values: Sequence[float], count: int = 24) -> tuple[list[int], float, float]:
    """Return how many values lie in each of ``count`` equal parts from the least to the largest, and these two."""
    least, most = min(values), max(values)
    counts = [0] * count
    for value in values:
        counts[min(count - 1, int((value - least) / (most - least) * count)) if most > least else 0] += 1
    return counts, least, most
