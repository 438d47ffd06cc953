"""What of a film is looked at: places over its whole length, at a cost that does not depend on its keyframes."""

from itertools import pairwise

import pytest
from support.pages import figures_in, page_of, run
from support.pipeline import Pipeline
from support.video import make_video

from framebrush.contracts import Manifest, Segment
from framebrush_stitcher.report.looks import LEAST, PART, PLACES, PREVIEW, WINDOW, choose, spans


@pytest.fixture(scope="module")
def manifest(pipeline: Pipeline) -> Manifest:
    return pipeline.manifest()


def film(manifest: Manifest, segments: list[int], chunk: int | None = None, pack: int = 16) -> Manifest:
    """The plan of a film of segments of so many frames."""
    made = tuple(Segment(start=n, end=n + 1, frames=frames) for n, frames in enumerate(segments))
    return manifest.model_copy(update={"segments": made, "chunk_frames": chunk, "pack_frames": pack})


FILMS = {
    "one keyframe": ([100_000], 256, 16),
    "one keyframe, short": ([132], None, 32),
    "one keyframe, two chunks": ([500], 256, 32),
    "keyframes": ([250] * 400, 256, 16),
    "two segments": ([48, 50], None, 16),
    "every frame a keyframe": ([1] * 300, None, 16),
    "one frame": ([1], None, 64),
    "three frames": ([3], None, 64),
    "unequal": ([7, 3000, 16], 64, 16),
}


@pytest.mark.parametrize("name", FILMS)
def test_the_places_are_spread_over_the_film(manifest: Manifest, name: str) -> None:
    segments, chunk, pack = FILMS[name]
    plan, total = film(manifest, segments, chunk, pack), sum(segments)
    firsts = [sum(segments[:number]) for number in range(len(segments))]
    looks = choose(plan, [])
    frames = sorted(firsts[look.segment] + frame for look in looks for frame in look.frames)
    assert len(set(frames)) == len(frames) <= max(LEAST, PART * total + PLACES)
    assert len(frames) <= PREVIEW + (PLACES - 1) * WINDOW
    assert frames[0] == 0
    longest = max(chunk or 0, *segments) if len(segments) > PLACES else 0
    gaps = [b - a for a, b in pairwise([*frames, total])]
    assert max(gaps) <= max(1.5 * total / PLACES, longest, 1)
    pictures = [firsts[look.segment] + picture for look in looks for picture in look.pictures]
    assert len(pictures) == min(PLACES, total)
    assert set(pictures) <= set(frames)
    assert looks[0].preview is not None
    assert all(look.preview is None for look in looks[1:])


@pytest.mark.parametrize("name", FILMS)
def test_the_parts_of_packs_are_the_frames(manifest: Manifest, name: str) -> None:
    plan = film(manifest, *FILMS[name])
    for look in choose(plan, [0, sum(FILMS[name][0]) - 1]):
        chunk, frames = plan.chunk(look.segment, look.chunk), list[int]()
        for pack, part in spans(plan, look):
            assert (pack.first - chunk.first) % plan.pack_frames == 0
            assert pack.first <= part.first < part.stop <= pack.stop <= chunk.stop
            frames += range(part.first, part.stop)
        assert frames == look.frames


def test_frames_that_failed_are_looked_at(manifest: Manifest) -> None:
    plan = film(manifest, [300, 300], 64, 16)
    failed = [5, 299, 300, 301, 450, 599, 20, 21]
    found = {300 * look.segment + frame for look in choose(plan, failed) for frame in look.failed}
    assert found == set(sorted(failed)[:PLACES])


def test_the_page_says_what_was_looked_at(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    made = make_video(path, size=(64, 48), gop=1000, pts=range(0, 120 * 512, 512), audio=None).read_bytes()
    page = page_of(run(made, {"segment_frames": 1000}, model="identity"))
    steps = [step["frame"] for step in figures_in(page)["flicker"][0]]
    assert min(steps) < 20
    assert max(steps) > 90
    assert f"A sample: {len(steps)} steps of 119, in the frames 0 to " in page
