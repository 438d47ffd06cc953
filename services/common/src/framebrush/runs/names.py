"""The names of a run's blobs."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from framebrush.contracts import BlobRef, FrameRange

STATUS_PREFIX = "status/"
"""The prefix of the names of all statuses."""
ACTIVE_PREFIX = "active/"
"""The prefix of the names of the blobs that tell which runs are active: one for each, without content."""


_RANGE = re.compile(r"/(\d+)/(\d+)-(\d+)\.tar$")


@dataclass(frozen=True, slots=True)
class RunBlobs:
    """The names of the blobs of a run. They contain the ranges of frames, so that a listing tells what exists."""

    container: str
    run_id: str

    def _ref(self, name: str) -> BlobRef:
        return BlobRef(container=self.container, name=f"runs/{self.run_id}/{name}")

    @property
    def prefix(self) -> str:
        """Return what the names of all blobs but the status begin with."""
        return f"runs/{self.run_id}/"

    @property
    def status(self) -> BlobRef:
        """Return the name of the status. All statuses lie in one folder: a listing of the runs lists no frames."""
        return BlobRef(container=self.container, name=f"{STATUS_PREFIX}{self.run_id}.json")

    @property
    def active(self) -> BlobRef:
        """Return the name of the blob that is there while the run is active."""
        return BlobRef(container=self.container, name=f"{ACTIVE_PREFIX}{self.run_id}")

    @property
    def request(self) -> BlobRef:
        """Return the name of the record of what the run was asked for, which is written before all other blobs."""
        return self._ref("request.json")

    @property
    def manifest(self) -> BlobRef:
        """Return the name of the manifest, the plan of the run."""
        return self._ref("manifest.json")

    def timeline(self, segment: int, chunk: int = 0) -> BlobRef:
        """Return the name of the timeline of a chunk, which exists once the chunk is decoded to its end."""
        return self._ref(f"timelines/{_chunk(segment, chunk)}.json")

    def pack_prefix(self, segment: int) -> str:
        """Return what the names of the packs of a segment begin with."""
        return f"{self.prefix}frames/{segment:06}/"

    def pack(self, segment: int, frames: FrameRange) -> BlobRef:
        """Return the name of a pack of decoded frames."""
        return self._ref(f"frames/{_frames(segment, frames)}.tar")

    def styled(self, segment: int, frames: FrameRange, rendition: int = 0) -> BlobRef:
        """Return the name of a pack of scored frames."""
        return self._ref(f"{numbered('styled', rendition)}/{_frames(segment, frames)}.tar")

    def styled_prefix(self, segment: int, rendition: int = 0) -> str:
        """Return what the names of the styled packs of a segment begin with."""
        return f"{self.prefix}{numbered('styled', rendition)}/{segment:06}/"

    @property
    def marks_prefix(self) -> str:
        """Return what the names of all marks begin with."""
        return f"{self.prefix}marks/"

    def mark(self, segment: int, frames: FrameRange) -> BlobRef:
        """Return the name of the mark of a batch, which says how far it is while it is painted."""
        return self._ref(f"marks/{_frames(segment, frames)}")

    def encoded(self, segment: int, rendition: int = 0, chunk: int = 0) -> BlobRef:
        """Return the name of an encoded chunk."""
        return self._ref(f"{numbered('encoded', rendition)}/{_chunk(segment, chunk)}.nut")

    def encoded_prefix(self, rendition: int = 0) -> str:
        """Return what the names of the encoded chunks of a rendition begin with."""
        return f"{self.prefix}{numbered('encoded', rendition)}/"

    def encoded_report(self, segment: int, rendition: int = 0, chunk: int = 0) -> BlobRef:
        """Return the name of the report on an encoded chunk, which is written before the chunk."""
        return self._ref(f"{numbered('reports', rendition)}/{_chunk(segment, chunk)}.json")

    @property
    def report(self) -> BlobRef:
        """Return the name of the report on the run."""
        return self._ref("report.json")

    @property
    def timings(self) -> BlobRef:
        """Return the name of the record of when each piece of work was done."""
        return self._ref("timings.json")

    @property
    def intermediate_prefixes(self) -> tuple[str, ...]:
        """Return what the names of all frames, marks and encoded chunks begin with, of all renditions."""
        return tuple(f"{self.prefix}{kind}" for kind in ("frames", "styled", "marks", "encoded"))


def numbered(folder: str, rendition: int) -> str:
    """Return the folder of a rendition: the plain name for the first one, and with a number for the others."""
    return f"{folder}.{rendition}" if rendition else folder


def _frames(segment: int, frames: FrameRange) -> str:
    """Return a range of frames of a segment in names."""
    return f"{segment:06}/{frames.first:08}-{frames.count:02}"


def _chunk(segment: int, chunk: int) -> str:
    """Return a chunk in names: by its segment, and with its own number unless it is the first, and mostly the only."""
    return f"{segment:06}-{chunk:05}" if chunk else f"{segment:06}"


def chunk_of(ref: BlobRef) -> tuple[int, int]:
    """Return the segment and the number of an encoded chunk, from its name.

    Raises:
        ValueError: The blob is not an encoded chunk.
    """
    segment, _, chunk = PurePosixPath(ref.name).stem.partition("-")
    return int(segment), int(chunk or 0)


def frames_of(ref: BlobRef) -> FrameRange:
    """Return which frames are in a pack or a styled pack, from its name.

    Raises:
        ValueError: The blob is not a pack.
    """
    match = _RANGE.search(ref.name)
    if match is None:
        raise ValueError(f"{ref} is not a pack")
    return FrameRange(first=int(match[2]), count=int(match[3]))
