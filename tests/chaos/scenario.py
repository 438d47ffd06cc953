"""What a seed does to an installation: which runs are submitted, what is disturbed, how and when.

Everything here is a pure function of the seed, so that a seed that fails can be run again by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from types import MappingProxyType

SERVICES: Mapping[str, int] = MappingProxyType({"splitter": 2, "dispatcher": 2, "scorer": 2, "stitcher": 2})
"""The pods of each service."""
BACKENDS = ("broker", "azurite")
DECODERS = ("splitter", "stitcher")
"""The services that open media in child processes."""
LOCK = 5.0
"""Seconds for which a message is locked."""
BEYOND = (3.0, 6.0)
"""Seconds, at least and at most, for which a frozen pod sleeps on after its locks have run out: others have its
messages by then, and some have done the work."""
KEEP_EVERY = 4
"""One seed out of so many runs with FRAMEBRUSH_KEEP_FRAMES, so that the intermediate blobs can be compared, too."""


class Kind(StrEnum):
    """What happens to a process."""

    KILL = "kill -9"
    TERMINATE = "SIGTERM"
    FREEZE = "SIGSTOP"


class Stage(StrEnum):
    """By what the progress of a run is told: its blobs in one of the work container's folders."""

    SUBMITTED = "submitted"
    SPLIT = "frames"
    SCORED = "styled"
    ENCODED = "encoded"


@dataclass(frozen=True, slots=True)
class Cell:
    """A row of the matrix."""

    kind: Kind
    victim: str
    """A service, a backend, or ``SERVICE's decoder``."""

    def __str__(self) -> str:
        return f"{self.kind} {self.victim}"


CELLS = (
    *(Cell(kind, victim) for victim in (*SERVICES, "broker") for kind in Kind),
    # Azurite writes its index every 5 s: a kill -9 takes acknowledged writes with it (measured: of 277 blobs that
    # were to be there after 3 s of writing and deleting, 194 were missing and 83 deleted ones were back).
    *(Cell(kind, "azurite") for kind in (Kind.TERMINATE, Kind.FREEZE)),
    *(Cell(Kind.KILL, f"{service}'s decoder") for service in DECODERS),
)
"""All rows. Each is the first disturbance of every ``len(CELLS)``-th seed."""

STAGES: Mapping[str, tuple[Stage, ...]] = MappingProxyType(
    {
        "splitter": (Stage.SUBMITTED, Stage.SPLIT),
        "dispatcher": (Stage.SPLIT, Stage.SCORED),
        "scorer": (Stage.SPLIT, Stage.SCORED),
        "stitcher": (Stage.SCORED, Stage.ENCODED, Stage.ENCODED),
    }
)
"""When a victim has something in hand; backends always have."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happens: at a share of a run's progress, and a little later."""

    run: int
    """Index of the run that is watched."""
    stage: Stage
    share: float
    """Part of the blobs of this stage that are there, 0..1."""
    jitter: float
    """Seconds after that."""

    def __str__(self) -> str:
        return f"run {self.run} {self.stage} {self.share:.0%} + {self.jitter:.2f} s"


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One thing that happens to one or all pods of a victim."""

    cell: Cell
    pods: tuple[int, ...]
    """Which of the victim's pods, from 0."""
    moment: Moment
    seconds: float
    """How long it stays frozen; 0 for other kinds."""
    in_hand: bool = False
    """Whether to wait, not for long, until one of the pods has a message in hand."""

    def __str__(self) -> str:
        pods = "+".join(str(pod + 1) for pod in self.pods)
        frozen = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.cell} {pods}{frozen} at {self.moment}{', in hand' if self.in_hand else ''}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """All that a seed does."""

    seed: int
    keep: bool
    """Whether the services keep the intermediate blobs of runs that succeeded."""
    models: tuple[tuple[str, ...], ...]
    """Per run."""
    delays: tuple[float, ...]
    """Seconds after the begin at which each run is submitted."""
    disturbances: tuple[Disturbance, ...]


MODELS = (("identity",), ("identity", "ink"))
"""What runs ask for: one rendition, or two."""


def draw(seed: int) -> Scenario:
    """What the seed does: two or three runs, one to three disturbances."""
    random = Random(f"framebrush/{seed}")
    count = random.choice((2, 2, 3))
    cells = [_first(seed)]
    # A scorer takes 5 s of CPU to start: the others are disturbed more often.
    weights = [1 if cell.victim == "scorer" else 4 for cell in CELLS]
    cells += random.choices(CELLS, weights, k=random.choice((0, 0, 1, 1, 2)))
    return Scenario(
        seed=seed,
        keep=seed % KEEP_EVERY == 0,
        models=tuple(random.choice(MODELS) for _ in range(count)),
        delays=(0.0, *(random.uniform(0.0, 2.0) for _ in range(count - 1))),
        disturbances=tuple(_disturbance(cell, count, random) for cell in dict.fromkeys(cells)),
    )


def _first(seed: int) -> Cell:
    """Each block of seeds goes through all rows, in an order of its own."""
    block, place = divmod(seed, len(CELLS))
    return Random(f"framebrush/block/{block}").sample(CELLS, len(CELLS))[place]


def _disturbance(cell: Cell, runs: int, random: Random) -> Disturbance:
    service = cell.victim.partition("'")[0]
    pods = range(SERVICES.get(service, 1))
    everyone = random.random() < (0.1 if service == "scorer" else 0.3)
    stage = random.choice(STAGES.get(service, tuple(Stage)))
    if cell.kind is not Kind.FREEZE:
        seconds = 0.0
    elif service in SERVICES:
        seconds = LOCK + random.uniform(*BEYOND)
    else:
        seconds = random.uniform(2.0, 10.0)
    return Disturbance(
        cell=cell,
        pods=tuple(pods) if everyone else (random.choice(pods),),
        # One in six comes when the stage is through, which for the last stage means: while the segments are joined.
        moment=Moment(random.randrange(runs), stage, min(1.0, random.uniform(0.0, 1.2)), random.uniform(0.0, 0.5)),
        seconds=seconds,
        in_hand=service in SERVICES and random.random() < 0.6,
    )
