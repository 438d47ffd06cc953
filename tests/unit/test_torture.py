"""Every film of the torture set through the four services and back: what differs is what its case says."""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.codec.context import Flags
from support.pipeline import Pipeline
from support.torture import CASES, GROUPS, Case
from support.video import psnr

from framebrush.contracts import Report, State, VideoProperties
from framebrush.media import CONVERSION, Converter, compare, is_hdr, read_media_info

PAGE = Path(__file__).parents[2] / "docs" / "video.md"
HELP = re.compile(r": (ffmpeg|ffprobe|framebrush submit|magick|mpv) \S.*$")
OPTIONS = {"crf": 1, "preset": "ultrafast"}


def pictures(file: Path | io.BytesIO, video: VideoProperties) -> Iterator[npt.NDArray[np.uint8]]:
    """All frames that can be decoded, as RGB, in order of presentation; what HDR must look like test_colors knows."""
    converter = Converter(video)
    with av.open(file, metadata_errors="replace") as container:
        container.streams[video.stream].codec_context.flags |= Flags.unaligned  # or FFmpeg shows what is hidden
        for packet in container.demux(container.streams[video.stream]):
            try:
                frames = packet.decode()
            except (av.InvalidDataError, av.ArgumentError):  # the latter of packets without bytes
                continue
            for frame in frames:
                if is_hdr(video):
                    yield converter.to_image(frame)[..., ::-1]
                else:
                    yield frame.to_ndarray(format="rgb24", interpolation=CONVERSION)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_case(case: Case, tmp_path: Path) -> None:
    path = case.write(tmp_path)
    pipeline = Pipeline(segment_frames=5)
    pipeline.submit(pipeline.put(case.file, path.read_bytes()), **{**OPTIONS, **case.options})
    status = pipeline.run()
    if case.refused:
        assert status.state is State.FAILED
        assert status.error is not None and case.refused in status.error.description
        assert HELP.search(status.error.description), "it ends with a command that helps"
        assert case.late or not status.frames, "it is refused when it is planned"
        assert status.frames == 0 or not any("/encoded/" in blob.ref.name for blob in pipeline.store.list("work"))
        return
    assert status.state is State.SUCCEEDED, status.error
    manifest, output = pipeline.manifest(), pipeline.output()
    assert len(manifest.segments) >= case.segments
    with av.open(path, metadata_errors="replace") as before, av.open(io.BytesIO(output)) as after:
        wanted, found = read_media_info(before, before.streams[manifest.video.stream]), read_media_info(after)
    checks = compare(wanted, found)
    assert tuple(check.name for check in checks if not check.ok) == case.differs, checks
    report = Report.decode(pipeline.store.read(pipeline.runs.blobs(status.run_id).report))
    assert [check.name for check in report.checks] == [check.name for check in checks]
    assert all(check.ok for check in report.checks)
    assert len(report.failed_frames) == case.failed
    assert len(report.notes) == len(case.notes)
    assert all(words in note for words, note in zip(case.notes, report.notes, strict=True))
    first, second = pictures(path, manifest.video), pictures(io.BytesIO(output), found.video)
    fewer = case.failed or "video frames" in case.differs
    likeness = [psnr(a, b) for a, b in zip(first, second, strict=not fewer)]
    assert min(likeness) >= case.psnr


def test_fragments_of_a_live_stream_begin_at_zero(tmp_path: Path) -> None:
    (case,) = (case for case in CASES if case.file == "joined.mp4")
    path = case.write(tmp_path)
    with av.open(str(path)) as before:
        assert before.start_time == 3600 * av.time_base
    pipeline = Pipeline(segment_frames=5)
    pipeline.submit(pipeline.put(case.file, path.read_bytes()), **OPTIONS)
    assert pipeline.run().state is State.SUCCEEDED
    with av.open(io.BytesIO(pipeline.output())) as after:
        assert after.start_time == 0
        assert after.duration is not None and after.duration < 2 * av.time_base


def test_pixels_that_pictures_hide_are_not_shown(tmp_path: Path) -> None:
    (case,) = (case for case in CASES if case.file == "hidden.mp4")
    pipeline = Pipeline()
    pipeline.submit(pipeline.put(case.file, case.write(tmp_path).read_bytes()), **OPTIONS)
    assert pipeline.run().state is State.SUCCEEDED
    video = pipeline.manifest().video
    assert (video.width, video.height) == (96 - 16, 64 - 8)


def test_the_page_lists_every_case() -> None:
    page, rows = PAGE.read_text(), [case.row for case in CASES]
    shown = [line for line in page.split("## The torture set", 1)[1].split("\n## ", 1)[0].splitlines() if "| " in line]
    assert [line for line in shown if line in set(rows)] == rows
    assert len(shown) == len(rows) + len(GROUPS) and len(set(rows)) == len(rows)
