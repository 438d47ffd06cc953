"""The names of a run's blobs."""

import re
from dataclasses import dataclass

from framebrush.contracts import BlobRef, FrameRange

STATUS_PREFIX = "status/"
"""What the names of all runs' status begin with."""


_RANGE = re.compile(r"/(\d+)/(\d+)-(\d+)\.tar$")


@dataclass(frozen=True, slots=True)
class RunBlobs:
    """The names of a run's blobs. Frame ranges stand in the names, so that a listing tells what is there."""

    container: str
    run_id: str

    def _ref(self, name: str) -> BlobRef:
        return BlobRef(container=self.container, name=f"runs/{self.run_id}/{name}")

    @property
    def prefix(self) -> str:
        """What all names begin with."""
        return f"runs/{self.run_id}/"

    @property
    def status(self) -> BlobRef:
        """How the run stands; beside the other runs', so that listing them does not list their frames."""
        return BlobRef(container=self.container, name=f"{STATUS_PREFIX}{self.run_id}.json")

    @property
    def request(self) -> BlobRef:
        """What the run was asked for; written before all else, by the request that has the run id."""
        return self._ref("request.json")

    @property
    def manifest(self) -> BlobRef:
        """The plan."""
        return self._ref("manifest.json")

    def timeline(self, segment: int) -> BlobRef:
        """The times of a segment's frames; there when the segment is decoded to its end."""
        return self._ref(f"timelines/{segment:06}.json")

    def pack_prefix(self, segment: int) -> str:
        """What the names of a segment's packs begin with."""
        return f"{self.prefix}frames/{segment:06}/"

    def pack(self, segment: int, frames: FrameRange) -> BlobRef:
        """Decoded frames."""
        return BlobRef(
            container=self.container, name=f"{self.pack_prefix(segment)}{frames.first:08}-{frames.count:02}.tar"
        )

    def styled(self, segment: int, frames: FrameRange, rendition: int = 0) -> BlobRef:
        """Scored frames."""
        name = f"{self.styled_prefix(segment, rendition)}{frames.first:08}-{frames.count:02}.tar"
        return BlobRef(container=self.container, name=name)

    def styled_prefix(self, segment: int, rendition: int = 0) -> str:
        """What the names of a segment's styled packs begin with."""
        return f"{self.prefix}{numbered('styled', rendition)}/{segment:06}/"

    def encoded(self, segment: int, rendition: int = 0) -> BlobRef:
        """An encoded segment."""
        return self._ref(f"{numbered('encoded', rendition)}/{segment:06}.nut")

    def encoded_prefix(self, rendition: int = 0) -> str:
        """What the names of a rendition's encoded segments begin with."""
        return f"{self.prefix}{numbered('encoded', rendition)}/"

    def encoded_report(self, segment: int, rendition: int = 0) -> BlobRef:
        """What encoding a segment told; there before the segment is."""
        return self._ref(f"{numbered('reports', rendition)}/{segment:06}.json")

    @property
    def report(self) -> BlobRef:
        """What came out of the run."""
        return self._ref("report.json")

    @property
    def intermediate_prefixes(self) -> tuple[str, ...]:
        """What the names of all frames and encoded segments begin with, of all renditions."""
        return tuple(f"{self.prefix}{kind}" for kind in ("frames", "styled", "encoded"))


def numbered(folder: str, rendition: int) -> str:
    """The folder of a rendition: the first one's has the plain name."""
    return f"{folder}.{rendition}" if rendition else folder


def frames_of(ref: BlobRef) -> FrameRange:
    """The frames in a pack or styled pack, from its name."""
    match = _RANGE.search(ref.name)
    if match is None:
        raise ValueError(f"{ref} is not a pack")
    return FrameRange(first=int(match[2]), count=int(match[3]))
