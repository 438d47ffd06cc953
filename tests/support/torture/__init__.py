"""The torture set: films as cameras, screen recorders and archives make them, each with a known property."""

from support.torture.boxes import BOXES
from support.torture.case import Case
from support.torture.changes import CHANGES
from support.torture.coding import CODING
from support.torture.containers import CONTAINERS
from support.torture.pixels import PIXELS
from support.torture.raw import RAW
from support.torture.structure import STRUCTURE
from support.torture.timing import TIMING
from support.torture.tracks import TRACKS
from support.torture.wild import WILD

GROUPS: dict[str, tuple[Case, ...]] = {
    "Time": TIMING,
    "Structure": STRUCTURE,
    "Containers": CONTAINERS,
    "Sound and text": TRACKS,
    "Pixels": PIXELS,
    "Coding": CODING,
    "Raw": RAW,
    "Changes": CHANGES,
    "Boxes": BOXES,
    "Wild": WILD,
}
"""By what they put to the test."""
CASES = tuple(case for cases in GROUPS.values() for case in cases)
