"""Writes the page of a run. Whatever goes wrong with it is noted in the run's report, and the run goes on."""

import io
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path

from framebrush.contracts import BlobRef, FailedFrame, Manifest, Rendition, Report, Timeline, Timings
from framebrush.errors import Unavailable
from framebrush.runs import Outputs, Runs, task_of_join, tasks_of
from framebrush.sandbox import Allowance, Sandbox
from framebrush.storage import write_once
from framebrush_stitcher.report.looks import Look, choose, spans
from framebrush_stitcher.report.picked import Picked
from framebrush_stitcher.report.samples import sample
from framebrush_stitcher.report.seen import Samples
from framebrush_stitcher.report.styles import Styles
from framebrush_stitcher.settings import StitcherSettings

log = logging.getLogger(__name__)

MOST_BYTES = 3 * 10**6
"""The most bytes of a page; a page that would be larger is written without pictures of some outputs."""
SHARE, LEAST, MOST = 0.025, 1.0, 20.0
"""The part of the run's time after which no more frames are looked at, in all outputs together, and the least and most
seconds of it. How many frames are looked at follows from the film's length; this is for a storage that is slow."""
PREVIEW_BITS, BITRATE, PREVIEW_SECONDS = 10_000_000, 500_000, 4.0
"""The bits of all previews together, and the most bits per second of one, which lasts some seconds."""


class Reporter:
    """Makes the pages of runs."""

    def __init__(self, runs: Runs, outputs: Outputs, settings: StitcherSettings, sandbox: Sandbox) -> None:
        self._runs, self._outputs, self._settings, self._sandbox = runs, outputs, settings, sandbox
        self._styles = Styles(runs.store, settings.styles_container, sandbox)

    def sample(
        self,
        manifest: Manifest,
        rendition: Rendition,
        timelines: Sequence[Path],
        output: Path,
        failed: Sequence[FailedFrame],
    ) -> Samples | None:
        """Return what an output looks like, by a bounded sample, or why there is none; None if it is not wanted."""
        if not self._settings.report_page:
            return None
        try:
            count = len(manifest.renditions)
            lasted = (datetime.now(UTC) - self._runs.status(manifest.run_id).created).total_seconds()
            seconds = min(MOST, max(LEAST, SHARE * lasted)) / count
            bitrate = min(BITRATE, round(PREVIEW_BITS / PREVIEW_SECONDS / (2 * count)))
            looks = choose(manifest, [frame.index for frame in failed])
            firsts = list(accumulate(map(manifest.chunk_count, range(len(manifest.segments))), initial=0))
            times = [timelines[firsts[look.segment] + look.chunk] for look in looks]
            allowance = Allowance(MOST, "REPORT_PAGE", "the sample for the report", folder=output.parent)
            source = Picked(self._runs.store, self._parts(manifest, looks, times))
            (found,) = self._sandbox.run(allowance, source, sample, manifest, looks, times, output, seconds, bitrate)
            return Samples.model_validate_json(bytes(found))
        except Exception as error:
            log.warning("the report has no pictures of an output", exc_info=True)
            return Samples(problem=f"there are no pictures of {rendition.output}: {_said(error)}")

    def _parts(
        self, manifest: Manifest, looks: Sequence[Look], timelines: Sequence[Path]
    ) -> list[tuple[BlobRef, int, int]]:
        """Return where the frames of the input are that are looked at: a pack, the offset and the length in bytes."""
        parts, blobs = list[tuple[BlobRef, int, int]](), self._runs.blobs(manifest.run_id)
        for look, path in zip(looks, timelines, strict=True):
            offsets = Timeline.decode(path.read_bytes()).offsets
            first = manifest.chunk(look.segment, look.chunk).first
            for pack, frames in spans(manifest, look):
                own = offsets[(pack.first - first) // manifest.pack_frames]
                begin, end = own[frames.first - pack.first], own[frames.stop - pack.first]
                parts.append((blobs.pack(look.segment, pack), begin, end - begin))
        return parts

    def write(self, manifest: Manifest, report: Report, samples: Sequence[Samples | None]) -> str | None:
        """Write the page beside the first output, once, if it is wanted; return why there is none, if that failed."""
        if not self._settings.report_page:
            return None
        try:
            page = self._page(manifest, report, samples)
            for last in (False, True):
                try:
                    self._outputs.write_page(manifest.run_id, manifest.output, io.BytesIO(page))
                    break
                except Unavailable:
                    if last:
                        raise
        except Exception as error:
            log.warning("the run has no page", exc_info=True)
            return f"the report could not be written as a page: {_said(error)}"
        return None

    def _page(self, manifest: Manifest, report: Report, samples: Sequence[Samples | None]) -> bytes:
        from framebrush_stitcher.report.figures import Figures
        from framebrush_stitcher.report.page import render

        sizes = {f"input {manifest.source.blob}": manifest.source.size}
        for rendition in manifest.renditions:
            sizes[f"output {rendition.output}"] = self._runs.store.stat(rendition.output).size
        timings = self._timings(manifest, report, sum(list(sizes.values())[1:]))
        created = self._runs.status(manifest.run_id).created
        figures, settings, shown = Figures(report, timings.tasks, created, sizes), self._settings, list(samples)
        styles = self._styles.of(manifest)
        page = render(figures, styles, shown, settings, settings.price_currency)
        for number in reversed(range(len(shown))):
            if len(page) <= MOST_BYTES:
                break
            shown[number] = None
            page = render(figures, styles, shown, settings, settings.price_currency)
        return page

    def _timings(self, manifest: Manifest, report: Report, size: int) -> Timings:
        """Return the record of the run's pieces of work, which is written once and stays."""
        store, ref = self._runs.store, self._runs.blobs(manifest.run_id).timings
        join = task_of_join(manifest, report.stages["joined"], size)
        write_once(store, ref, Timings(tasks=(*tasks_of(self._runs, manifest.run_id), join)).encode())
        return Timings.decode(store.read(ref))


def _said(error: Exception) -> str:
    """Return what an error says in one line, and its kind if it says nothing."""
    lines = str(error).strip().splitlines()
    return (lines[-1] if lines else type(error).__name__)[:300]
