"""A whole installation, simulated: how much faster is a film with more scorers, what limits it, and what does it cost?

Usage: simulation.py [--card T4|A100|H100] [--height 720|1080] [--frames N] [--scorers N ...] [--chart] [--json FILE]

A discrete-event simulation (simpy). Its rates are those of the benchmark (``docs/benchmarks.json``), its sizes of
batches those of the planner, its operations per frame those that ``tests/unit/test_budget.py`` counts. What no
benchmark here has measured is an assumption, and stands in this file: the cards' rates, prices, and Azure's latencies
and limits. Pods are up at the beginning. Splitters and stitchers are as many as it takes, or with ``--chart`` at most
the chart's defaults.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import simpy
import yaml
from machine import say
from report import DOCS, load

from framebrush_scorer.settings import slots
from framebrush_splitter.plan import batch_size

VALUES = Path("charts/framebrush/values.yaml")
PIXELS = 1280 * 720
"""The benchmark's frames. Work is taken to grow with the number of pixels."""
H100_RATE, H100_TFLOPS = 600.0, 989
"""Frames/s of a shipped style at 1280x720 on an H100, an aim and not measured, and the card's half precision."""
REQUEST, BANDWIDTH = 0.015, 60e6
"""Assumed: seconds of a request to storage or the bus, and bytes per second of one connection to storage."""
CODEC = 0.011
"""Seconds of one core for decoding and encoding a frame of 1280x720."""
CREDITS, STORAGE = 1000.0, 20_000.0
"""Azure's limits: operations per second of a Standard namespace, and of a storage account."""
FILM_BYTES, INDEX = 25_000, 0.05
"""Assumed: the bytes of a frame of 1280x720 in the film and in the output (5 Mbit/s), and the part of a film that its
plan reads (``tests/unit/splitter/test_sparse.py``)."""
CONNECTIONS = {"film": 4, "documents": 16, "chunks": 8, "output": 8}
"""The connections over which a join reads and writes."""
READ_BACK = 0.5
"""The part of a join's CPU that comes behind its last packet: the output is read back, and the report is made. Measured
with a film of 12,000 frames of 1280x720."""
FRAME_BYTES = 0.37
"""Bytes of a pixel as JPEG of quality 95, see docs/video.md."""
OPERATIONS = {"reads": 217.0, "writes": 58.4, "lists": 8.7, "messages": 75.1}
"""Per 1,000 frames of 1280x720. Batches of larger frames have fewer, so that there are more operations."""
PRICES = {"reads": 0.005 / 10_000, "writes": 0.065 / 10_000, "lists": 0.065 / 10_000, "bus": 0.80 / 1e6, "core": 0.048}
"""Dollars, assumed from Azure's list prices: operations of hot storage and of Service Bus, a core for an hour."""
POD_CORES = 2
"""The cores of a splitter or a stitcher: those of the benchmark."""


@dataclass(frozen=True)
class Card:
    """A machine with a GPU."""

    tflops: float
    """Half precision at peak, by which the aim for an H100 is scaled."""
    cores: int
    price: float
    """Dollars per hour, assumed."""


SCORERS = [1, 2, 4, 8, 16, 32, 64, 128, 256]
CARDS = {"T4": Card(65, 4, 0.526), "A100": Card(312, 24, 3.673), "H100": Card(H100_TFLOPS, 40, 6.98)}


@dataclass(frozen=True)
class Setup:
    """What is simulated."""

    frames: int
    scorers: int
    splitters: int
    stitchers: int
    dispatchers: int
    score: float
    """Frames/s of one device."""
    split: float
    stitch: float
    """Frames/s of one pod."""
    plan: float
    join: float
    """Seconds of planning and of joining the whole, without what is read and written."""
    cores: int
    """Cores beside one device."""
    pixels: int
    batch: int
    segment: int = 120
    dispatch: float = 300.0
    """Messages/s of one dispatcher."""


@dataclass
class Film:
    """A run in the simulation."""

    setup: Setup
    env: simpy.Environment = field(default_factory=simpy.Environment)
    busy: Counter[str] = field(default_factory=Counter)
    """Seconds of work, by part."""

    def __post_init__(self) -> None:
        env, setup = self.env, self.setup
        self.capacity = {
            "splitters": setup.splitters,
            "dispatchers": setup.dispatchers,
            "devices": setup.scorers,
            "codecs": setup.scorers * setup.cores,
            "stitchers": setup.stitchers,
            "bus": 1,
            "storage": 1,
            "plan": 1,
            "join": 1,
        }
        self.parts = {name: simpy.Resource(env, count) for name, count in self.capacity.items()}
        self.slots = simpy.Resource(env, setup.scorers * slots(setup.cores))
        self.segments = [min(setup.segment, setup.frames - f) for f in range(0, setup.frames, setup.segment)]
        self.left = [math.ceil(count / setup.batch) for count in self.segments]
        self.unencoded, self.encoded = len(self.segments), env.event()

    def run(self) -> float:
        """Return the seconds from the trigger to the end."""
        self.env.run(self.env.process(self._whole()))
        return float(self.env.now)

    def limit(self) -> tuple[str, float]:
        """Return the part that was busy for the largest share of the time, and this share."""
        shares = {name: self.busy[name] / count / self.env.now for name, count in self.capacity.items()}
        name = max(shares, key=lambda each: shares[each])
        return name, shares[name]

    def _work(self, name: str, seconds: float) -> Generator[simpy.Event, Any, None]:
        with self.parts[name].request() as turn:
            yield turn
            yield self.env.timeout(seconds)
        self.busy[name] += seconds

    def _requests(self, count: int, size: float = 0) -> Generator[simpy.Event, Any, None]:
        """So many requests to storage, one after the other, which move so many bytes together."""
        yield from self._work("storage", count / STORAGE)
        yield self.env.timeout(count * REQUEST + size / BANDWIDTH)

    def _message(self) -> Generator[simpy.Event, Any, None]:
        """A message that is sent and received; that it is completed too delays nobody."""
        yield from self._work("bus", 3 / CREDITS)
        yield self.env.timeout(2 * REQUEST)

    def _whole(self) -> Generator[simpy.Event, Any, None]:
        size = self.setup.frames * FILM_BYTES * self.setup.pixels / PIXELS
        yield from self._work("plan", self.setup.plan + INDEX * size / BANDWIDTH)
        for number in range(len(self.segments)):
            self.env.process(self._segment(number))
        yield self.encoded
        yield from self._message()
        yield from self._work("join", self._join(size))

    def _join(self, size: float) -> float:
        """Return the seconds of the join. The film's sound, which is all over the film, and the chunks are read while
        packets are written; before come two documents of each chunk, and then the output is written.
        """
        chunks, cpu = len(self.segments), self.setup.join
        documents = 2 * chunks * REQUEST / CONNECTIONS["documents"]
        film = size / BANDWIDTH / CONNECTIONS["film"]
        arrival = (chunks * REQUEST + size / BANDWIDTH) / CONNECTIONS["chunks"]
        output = size / BANDWIDTH / CONNECTIONS["output"]
        return documents + max((1 - READ_BACK) * cpu, film, arrival) + READ_BACK * cpu + output

    def _segment(self, number: int) -> Generator[simpy.Event, Any, None]:
        yield from self._message()
        setup, count = self.setup, self.segments[number]
        with self.parts["splitters"].request() as turn:
            yield turn
            yield from self._requests(3)
            for first in range(0, count, setup.batch):
                frames = min(setup.batch, count - first)
                yield self.env.timeout(frames / setup.split)
                self.busy["splitters"] += frames / setup.split
                self.env.process(self._batch(number, frames))

    def _batch(self, number: int, frames: int) -> Generator[simpy.Event, Any, None]:
        setup, size = self.setup, frames * self.setup.pixels * FRAME_BYTES
        yield from self._requests(1, size)  # the pack is written
        yield from self._message()
        yield from self._work("dispatchers", 1 / setup.dispatch)
        with self.slots.request() as turn:
            yield turn
            yield from self._message()
            yield from self._requests(3, size)
            codec = CODEC / 2 * setup.pixels / PIXELS * frames
            yield from self._codec(codec)
            yield from self._work("devices", frames / setup.score)
            yield from self._codec(codec)
            yield from self._requests(2, size)
        yield from self._message()
        yield from self._work("dispatchers", 1 / setup.dispatch)
        yield from self._requests(2)
        self.left[number] -= 1
        if not self.left[number]:
            yield from self._encode(number)

    def _codec(self, seconds: float) -> Generator[simpy.Event, Any, None]:
        """Work on the images of a batch: a core works on one of them, so all cores of the machine share it."""
        share = seconds / self.setup.cores
        yield self.env.all_of([self.env.process(self._work("codecs", share)) for _ in range(self.setup.cores)])

    def _encode(self, number: int) -> Generator[simpy.Event, Any, None]:
        count = self.segments[number]
        yield from self._message()
        with self.parts["stitchers"].request() as turn:
            yield turn
            yield from self._requests(6, count * self.setup.pixels * FRAME_BYTES)
            yield self.env.timeout(count / self.setup.stitch)
            self.busy["stitchers"] += count / self.setup.stitch
        yield from self._message()
        self.unencoded -= 1
        if not self.unencoded:
            self.encoded.succeed()


def rates(figures: dict[str, Any]) -> tuple[float, float]:
    """Frames/s at 1280x720 of a splitter and of a stitcher, as the benchmark measured them."""
    stages = figures["stages identity"]
    split, stitch = (figures["frames"] / stages[name]["seconds"] for name in ("splitter", "stitcher"))
    return split, stitch


def maxima() -> dict[str, int]:
    """The chart's default maxima of replicas."""
    values = yaml.safe_load(VALUES.read_text())
    default = values["defaults"]["scaling"]["maxReplicas"]
    return {
        name: values["services"][name].get("scaling", {}).get("maxReplicas", default)
        for name in ("splitter", "dispatcher", "scorer", "stitcher")
    }


def setups(
    card: Card, height: int, frames: int, scorers: list[int], figures: dict[str, Any], *, chart: bool
) -> Iterator[Setup]:
    """What to simulate: the pods of the other stages keep up with the scorers, unless the chart has fewer."""
    width, most = height * 16 // 9, maxima()
    size = width * height / PIXELS
    split, stitch = (rate / size for rate in rates(figures))
    score = H100_RATE * card.tflops / H100_TFLOPS / size
    lengths = figures["lengths"]
    plan, join = (lengths["begin"][step] + frames * lengths["frame"][step] for step in ("plan", "join"))
    for count in scorers:
        wanted = {"splitter": score * count / split, "stitcher": score * count / stitch, "dispatcher": count / 64}
        pods = {name: math.ceil(1.25 * number) for name, number in wanted.items()}
        if chart:
            pods = {name: min(number, most[name]) for name, number in pods.items()}
        yield Setup(
            frames=frames, scorers=count, splitters=pods["splitter"], stitchers=pods["stitcher"],
            dispatchers=pods["dispatcher"], score=score, split=split, stitch=stitch,
            plan=plan, join=join, cores=card.cores, pixels=width * height,
            batch=batch_size(width, height, None),
        )  # fmt: skip


def cost(setup: Setup, card: Card) -> dict[str, float]:
    """Dollars per 1,000 frames with all pods busy: of the GPUs' machines, of the other pods, of storage, of the bus."""
    more = batch_size(1280, 720, None) / setup.batch
    core = PRICES["core"] * POD_CORES / 3600
    return {
        "GPU": 1000 / setup.score / 3600 * card.price,
        "CPU": core * (1000 / setup.split + 1000 / setup.stitch),
        "storage": more * sum(PRICES[name] * OPERATIONS[name] for name in ("reads", "writes", "lists")),
        "bus": more * 3 * PRICES["bus"] * OPERATIONS["messages"],
    }


def simulate(name: str, height: int, frames: int, scorers: list[int], figures: dict[str, Any], *, chart: bool) -> Any:
    """Return the rows of a table, the first of which is what speed-up is relative to; and the cost."""
    card, rows = CARDS[name], list[dict[str, Any]]()
    for setup in setups(card, height, frames, scorers, figures, chart=chart):
        film = Film(setup)
        seconds, (part, share) = film.run(), film.limit()
        rows.append(
            {
                "scorers": setup.scorers,
                "splitters": setup.splitters,
                "stitchers": setup.stitchers,
                "seconds": seconds,
                "speed-up": rows[0]["seconds"] / seconds * rows[0]["scorers"] if rows else float(setup.scorers),
                "limit": part,
                "busy": share,
            }
        )
    return {"card": name, "height": height, "frames": frames, "rows": rows, "dollars": cost(setup, card)}


def overview(figures: dict[str, Any], frames: int) -> dict[str, Any]:
    """What ``docs/benchmarks.md`` tells: a film on T4s, with as many pods as it takes and the chart's; all costs."""
    found = [simulate("T4", 720, frames, SCORERS, figures, chart=chart) for chart in (False, True)]
    costs = [
        {"card": name, "height": height, **cost(next(setups(card, height, frames, [1], figures, chart=False)), card)}
        for name, card in CARDS.items()
        for height in (720, 1080)
    ]
    return {"frames": frames, "free": found[0]["rows"], "chart": found[1]["rows"], "costs": costs}


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--card", choices=list(CARDS), default="T4")
    parser.add_argument("--height", type=int, choices=(720, 1080), default=720)
    parser.add_argument("--frames", type=int, default=172_800, help="two hours at 24 frames/s by default")
    parser.add_argument("--scorers", type=int, nargs="+", default=SCORERS)
    parser.add_argument("--chart", action="store_true", help="at most the chart's default replicas of the other stages")
    parser.add_argument("--figures", type=Path, default=DOCS, help="the folder of benchmarks.json")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = simulate(
        options.card, options.height, options.frames, options.scorers, load(options.figures), chart=options.chart
    )
    say(f"{options.card}, {options.height} lines, {options.frames} frames")
    say("| scorers | splitters | stitchers | seconds | speed-up | busiest part | busy |")
    say("|---:|---:|---:|---:|---:|---|---:|")
    for row in result["rows"]:
        say(
            "| {scorers} | {splitters} | {stitchers} | {seconds:.0f} | {speed-up:.1f} | {limit} | {busy:.0%} |".format(
                **row
            )
        )
    dollars = result["dollars"]
    say("$ per 1,000 frames: " + ", ".join(f"{name} {value:.5f}" for name, value in dollars.items()))
    say(f"storage and bus, of the GPU's cost: {(dollars['storage'] + dollars['bus']) / dollars['GPU']:.0%}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
