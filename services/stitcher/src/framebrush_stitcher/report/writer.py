"""Writes the page of a run. Whatever goes wrong with it is logged, and the run goes on without a page."""

import io
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from framebrush.contracts import FailedFrame, Manifest, Report, Timings
from framebrush.errors import Unavailable
from framebrush.runs import Outputs, Runs, tasks_of
from framebrush.sandbox import Allowance, Sandbox
from framebrush.storage import BlobReader, write_once
from framebrush_stitcher.report.samples import Samples, sample
from framebrush_stitcher.settings import StitcherSettings

log = logging.getLogger(__name__)

MOST_BYTES = 3 * 10**6
"""The most bytes of a page; a page that would be larger is written without pictures of some outputs."""
SHARE, LEAST, MOST = 0.025, 0.3, 20.0
"""The part of the run's time in which frames of all outputs may be read for samples, and the least and most seconds.
About as much time again goes into the previews, the flicker and the page."""
PREVIEW_BITS, BITRATE, PREVIEW_SECONDS = 10_000_000, 500_000, 4.0
"""The bits of all previews together, and the most bits per second of one, which lasts some seconds."""


class Reporter:
    """Makes the pages of runs."""

    def __init__(self, runs: Runs, outputs: Outputs, settings: StitcherSettings, sandbox: Sandbox) -> None:
        self._runs, self._outputs, self._settings, self._sandbox = runs, outputs, settings, sandbox

    def sample(
        self, manifest: Manifest, timelines: Sequence[Path], output: Path, failed: Sequence[FailedFrame]
    ) -> Samples | None:
        """Return what an output looks like, by a bounded sample; None if that failed or is not wanted."""
        if not self._settings.report_page:
            return None
        try:
            source, count = manifest.source, len(manifest.renditions)
            reader = BlobReader(self._runs.store, source.blob, source.size, source.etag)
            lasted = (datetime.now(UTC) - self._runs.status(manifest.run_id).created).total_seconds()
            seconds = min(MOST, max(LEAST, SHARE * lasted)) / count
            bitrate = min(BITRATE, round(PREVIEW_BITS / PREVIEW_SECONDS / (2 * count)))
            numbers = [frame.index for frame in failed]
            allowance = Allowance(MOST, "REPORT_PAGE", "the sample for the report", folder=output.parent)
            (found,) = self._sandbox.run(
                allowance, reader, sample, manifest, timelines, output, numbers, seconds, bitrate
            )
            return Samples.model_validate_json(bytes(found))
        except Exception:
            log.warning("the report has no pictures of an output", exc_info=True)
            return None

    def write(self, manifest: Manifest, report: Report, samples: Sequence[Samples | None]) -> None:
        """Write the page beside the first output, once, if it is wanted."""
        if not self._settings.report_page:
            return
        try:
            page = self._page(manifest, report, samples)
            for last in (False, True):
                try:
                    self._outputs.write_page(manifest.run_id, manifest.output, io.BytesIO(page))
                    break
                except Unavailable:
                    if last:
                        raise
        except Exception:
            log.warning("the run has no page", exc_info=True)

    def _page(self, manifest: Manifest, report: Report, samples: Sequence[Samples | None]) -> bytes:
        from framebrush_stitcher.report.figures import Figures
        from framebrush_stitcher.report.page import render

        timings = self._timings(manifest.run_id)
        sizes = {f"input {manifest.source.blob}": manifest.source.size}
        for rendition in manifest.renditions:
            sizes[f"output {rendition.output}"] = self._runs.store.stat(rendition.output).size
        created = self._runs.status(manifest.run_id).created
        figures, settings, shown = Figures(report, timings.tasks, created, sizes), self._settings, list(samples)
        page = render(figures, shown, created, settings, settings.price_currency)
        for number in reversed(range(len(shown))):
            if len(page) <= MOST_BYTES:
                break
            shown[number] = None
            page = render(figures, shown, created, settings, settings.price_currency)
        return page

    def _timings(self, run_id: str) -> Timings:
        """Return the record of the run's pieces of work, which is written once and stays."""
        store, ref = self._runs.store, self._runs.blobs(run_id).timings
        write_once(store, ref, Timings(tasks=tuple(tasks_of(self._runs, run_id))).encode())
        return Timings.decode(store.read(ref))
