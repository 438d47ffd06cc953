"""``framebrush verify`` finds what was changed, and nothing where nothing was."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from av.stream import Disposition
from support.film import Film, Sound, Text
from support.pipeline import Pipeline

from framebrush_cli.__main__ import main
from framebrush_cli.display import err, out

Verify = Callable[..., tuple[int, str, str]]

TEXT = (b"\0\5hello", b"\0\5world")
FILM = Film(
    sounds=(Sound(language="eng"), Sound(language="deu", disposition=Disposition.comment)),
    texts=(Text("mov_text", TEXT, "eng"),),
    chapters=((0.0, 0.4, "One"), (0.4, 0.96, "Two")),
    metadata={"title": "Harbour"},
    tags={"colorspace": 1, "color_trc": 1, "color_primaries": 1},
)


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch) -> Verify:
    """Runs the command; its exit code and what it printed."""

    def run(*arguments: Path | str) -> tuple[int, str, str]:
        printed, said = io.StringIO(), io.StringIO()
        monkeypatch.setattr(out, "file", printed)
        monkeypatch.setattr(err, "file", said)
        monkeypatch.setattr("sys.argv", ["framebrush", "verify", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), printed.getvalue(), said.getvalue()

    return run


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return FILM.write(tmp_path / "film.mp4")


def test_a_run_is_exact(film: Path, verify: Verify) -> None:
    pipeline = Pipeline(segment_frames=5)
    pipeline.submit(pipeline.put("film.mp4", film.read_bytes()), crf=1)
    pipeline.run()
    output = film.with_name("output.mp4")
    output.write_bytes(pipeline.output())
    code, printed, _ = verify(film, output, "--quality", "--json")
    document = json.loads(printed)
    assert (code, document["exact"], document["frames_compared"]) == (0, True, 24)
    assert document["psnr_min"] > 45 and document["ssim_min"] > 0.99
    assert {"video frames", "video times", "audio 0 packets", "audio 1 times", "subtitle 2 packets", "chapters"} <= {
        check["name"] for check in document["checks"]
    }


def test_a_file_is_equal_to_itself(film: Path, verify: Verify) -> None:
    code, printed, _ = verify(film, film, "--quality", "--json")
    document = json.loads(printed)
    assert (code, document["frames_equal"], document["psnr_min"], document["ssim_min"]) == (0, 24, None, 1.0)


FEWER = FILM.pts[:-1]
LATER = [*FILM.pts[:10], FILM.pts[10] + 1, *FILM.pts[11:]]
STARTS = [time + 6400 for time in FILM.pts]
MIRROR = (-65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"pts": FEWER}, {"video frames", "video duration"}),
        ({"timecode": "01:00:00:00"}, {"timecode"}),
        (
            {"pts": STARTS},
            {"video start", "audio 0 times", "audio 1 times", "subtitle 2 times", "audio 0 heard", "audio 1 heard"},
        ),
        ({"pts": LATER}, {"video times"}),
        ({"size": (80, 48)}, {"video size"}),
        ({"aspect": Fraction(4, 3)}, {"pixel aspect"}),
        ({"matrix": MIRROR}, {"display matrix"}),
        ({"tags": {**FILM.tags, "color_trc": 13}}, {"colours"}),
        ({"tags": {**FILM.tags, "color_range": 2}}, {"colours"}),
        ({"sounds": FILM.sounds[:1], "texts": ()}, {"tracks"}),
        ({"sounds": (FILM.sounds[0], replace(FILM.sounds[1], language="fra"))}, {"audio 1 language"}),
        ({"sounds": (FILM.sounds[0], replace(FILM.sounds[1], disposition=None))}, {"audio 1 disposition"}),
        ({"sounds": (FILM.sounds[0], replace(FILM.sounds[1], seconds=0.9))}, {"audio 1 packets", "audio 1 heard"}),
        ({"sounds": (replace(FILM.sounds[0], start=0.01), FILM.sounds[1])}, {"audio 0 times"}),
        ({"texts": (replace(FILM.texts[0], packets=TEXT[::-1]),)}, {"subtitle 2 packets"}),
        ({"chapters": FILM.chapters[:1]}, {"chapters"}),
        ({"metadata": {"title": "Port"}}, {"metadata"}),
    ],
    ids=lambda value: "-".join(sorted(value)) if isinstance(value, set) else None,
)
def test_what_was_changed_is_found(film: Path, verify: Verify, changes: dict[str, Any], names: set[str]) -> None:
    other = replace(FILM, **changes).write(film.with_name("other.mp4"))
    code, printed, _ = verify(film, other, "--json")
    document = json.loads(printed)
    assert {check["name"] for check in document["checks"] if not check["ok"]} == names
    assert (code, document["exact"]) == (1, False)


def test_the_table_says_what_differs(film: Path, verify: Verify) -> None:
    other = replace(FILM, pts=FEWER).write(film.with_name("other.mp4"))
    code, printed, _ = verify(film, other)
    assert code == 1 and printed.splitlines()[-1].startswith("2 of ")
    assert ["video", "frames", "24", "23", "differs"] in [line.split() for line in printed.splitlines()]


def test_no_video(film: Path, verify: Verify) -> None:
    nonsense = film.with_name("nonsense.mp4")
    nonsense.write_bytes(b"hello" * 1000)
    code, _, said = verify(film, nonsense)
    assert code == 1 and "nonsense.mp4: not a readable video" in said
