"""What a run has styled so far, while its frames are still there."""

from typing import TYPE_CHECKING

from framebrush.contracts import Manifest, Rendition
from framebrush.errors import BlobNotFound
from framebrush.runs import Runs, frames_of
from framebrush.storage import BlobInfo
from framebrush_cli.errors import CommandFailed

if TYPE_CHECKING:
    from framebrush_cli.preview import Preview, RgbImage, Still

MOST = 3
"""The most frames that are shown."""


def styled_so_far(runs: Runs, run_id: str) -> "Preview":
    """Return some frames of a run that are scored in all of its styles, spread over those of the first segments.

    Raises:
        CommandFailed: No frame is scored yet, or the frames are deleted, since the run has ended.
    """
    from framebrush_cli.preview import Film, Painted, Preview

    try:
        manifest = runs.manifest(run_id)
        packs = _scored(runs, run_id, manifest)
        chosen = [packs[len(packs) * (2 * n + 1) // (2 * MOST)] for n in range(MOST)] if len(packs) >= MOST else packs
        stills = [_still(runs, manifest, pack) for pack in chosen]
        painted = [
            Painted(each.model, [_first(manifest, _styled(runs, manifest, each, pack)) for pack in chosen], 0.0)
            for each in manifest.renditions
        ]
    except BlobNotFound:
        packs = []
    if not packs:
        raise CommandFailed(f"{run_id} has no styled frames: it has none yet, or has ended and deleted them")
    return Preview(Film(video=manifest.video, seconds=manifest.duration, frames=manifest.frames), stills, painted)


def _scored(runs: Runs, run_id: str, manifest: Manifest) -> list[BlobInfo]:
    """Return the packs of the last style, which comes last, of the first segment that has some."""
    last = manifest.renditions[-1].number
    for segment in range(len(manifest.segments)):
        if packs := list(runs.store.list(runs.container, runs.blobs(run_id).styled_prefix(segment, last))):
            return packs
    return []


def _segment(pack: BlobInfo) -> int:
    return int(pack.ref.name.split("/")[-2])


def _styled(runs: Runs, manifest: Manifest, rendition: Rendition, pack: BlobInfo) -> bytes:
    ref = runs.blobs(manifest.run_id).styled(_segment(pack), frames_of(pack.ref), rendition.number)
    return runs.store.read(ref)


def _still(runs: Runs, manifest: Manifest, pack: BlobInfo) -> "Still":
    from framebrush_cli.preview import Still

    segment, frames = _segment(pack), frames_of(pack.ref)
    originals = runs.store.list(runs.container, runs.blobs(manifest.run_id).pack_prefix(segment))
    ranges = {blob.ref: frames_of(blob.ref) for blob in originals}
    (source,) = (ref for ref, each in ranges.items() if each.first <= frames.first < each.stop)
    before = sum(each.frames for each in manifest.segments[:segment]) + frames.first
    seconds = before * manifest.duration / manifest.frames
    return Still(seconds, _first(manifest, runs.store.read(source), frames.first))


def _first(manifest: Manifest, data: bytes, number: int | None = None) -> "RgbImage":
    """Return a frame of a pack: the one with a number, or the first one."""
    from framebrush.media import decode_image, read_pack

    frames, _ = read_pack(data)
    image = frames[min(frames) if number is None else number]
    return decode_image(image, manifest.video.height, manifest.video.width)[..., ::-1]
