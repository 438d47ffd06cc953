"""Measure how well a styled video holds still and how much style it has: ``framebrush quality film.mp4 styled.mp4``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from framebrush_scorer.quality.comparison import NotComparable, compare
from framebrush_scorer.quality.report import plot, strip


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare two videos and print the figures as JSON.

    Args:
        arguments: The command line's arguments; by default the process's own. Wrong ones end it with status 2.
    """
    parser = argparse.ArgumentParser(prog="framebrush quality", description=__doc__)
    parser.add_argument("source", type=Path, help="the video")
    parser.add_argument("styled", type=Path, help="what a style made of it")
    parser.add_argument("--out", type=Path, help="folder for quality.json with all series, quality.png and strip.jpg")
    args = parser.parse_args(arguments)
    for path in (args.source, args.styled):
        if not path.is_file():
            parser.error(f"{path}: there is no such file")
    try:
        quality = compare(args.source, args.styled)
    except NotComparable as error:
        parser.error(str(error))
    sys.stdout.write(quality.model_dump_json(indent=2, exclude={"series"}) + "\n")
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        (args.out / "quality.json").write_text(quality.model_dump_json(indent=2) + "\n")
        plot(quality, args.out / "quality.png")
        strip(args.source, args.styled, quality.frames, args.out / "strip.jpg")


if __name__ == "__main__":
    main()
