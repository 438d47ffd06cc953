"""``make pictures``: draws the dashboards as they were in a recorded run, for the documents; needs prometheus."""

import argparse
import hashlib
import json
import math
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.dashboard import draw, over  # noqa: E402
from support.panels import dashboards, queries  # noqa: E402
from support.prometheus import Recording, replayed  # noqa: E402

RECORDING = ROOT / "tests" / "monitoring" / "cold-run.json.gz"
FOLDER = ROOT / "docs" / "images"
NAMESPACE = "framebrush"
"""Of the installation in kind."""
CAPTION = "One film of 264 frames in kind, from zero to zero; its scorers ran on a CPU, and no GPU was there."


def made_from(board: dict[str, object]) -> str:
    """What tells whether a picture is that of a board and a recording."""
    return hashlib.sha256(json.dumps(board, sort_keys=True).encode() + RECORDING.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the pictures go")
    folder: Path = parser.parse_args().folder
    recording = Recording.read(RECORDING)
    span = math.ceil(recording.end - recording.start)
    with replayed(recording.samples) as prometheus:
        for name, board in dashboards().items():
            asked = [query for query in queries(NAMESPACE, span=span) if query.dashboard == name]
            draw(
                board,
                over(prometheus, asked, recording.start, recording.end),
                folder / f"dashboard-{Path(name).stem}.png",
                caption=CAPTION,
                Source=made_from(board),
            )


if __name__ == "__main__":
    main()
