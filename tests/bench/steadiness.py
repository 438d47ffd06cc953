"""How well trained styles hold still, against the painters they learned from, on frames that nothing was trained on.

Usage: steadiness.py FILM [FILM ...] [--frames N] [--smoothing A] [--once] [--json FILE]; prints a table for each size.

Training reads the first half of a film only; this reads the frames from the middle of the second half on, cut to 16:9.
A film that would have to be enlarged by more than a third is left out of a size.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from machine import machine, say

from framebrush.pictures import network_file, predict, read_square
from framebrush.styles import find_styles
from framebrush_scorer.frames import RgbFrame, RgbFrames
from framebrush_scorer.models import SHIPPED, PainterModel, load, load_picture, rounded, to_frames, to_tensor
from framebrush_scorer.motion import motion
from framebrush_scorer.networks import Card, read_card, read_multistyle_net, read_picture_net
from framebrush_scorer.pipeline import smooth
from framebrush_scorer.quality import LEAST_KNOWN, detail, read_frames, style_strength, warp_error

SIZES = ((640, 360), (1280, 720))


def fit(frame: RgbFrame, size: tuple[int, int]) -> RgbFrame | None:
    """The middle of a frame at a size, or nothing where it is too small."""
    (width, height), (h, w) = size, frame.shape[:2]
    edge = min(w / width, h / height)
    if edge < 0.75:
        return None
    top, left = int(h - height * edge) // 2, int(w - width * edge) // 2
    part = frame[top : top + int(height * edge), left : left + int(width * edge)]
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def measure(source: list[RgbFrame], paint: Callable[[RgbFrames], RgbFrames], smoothing: float = 0) -> dict[str, float]:
    """E_warp, style strength and detail of a painter on consecutive frames, painted one by one, smoothed as a batch."""
    painted: list[Any] = [paint(frame[None])[0] for frame in source]
    if smoothing:
        painted = smooth(source, painted, smoothing)
    errors, last = [], len(source) - 1
    for k in range(last):
        field, known = motion(source[k], source[k + 1])
        if known.mean() >= LEAST_KNOWN:
            errors.append(warp_error(painted[k], painted[k + 1], field, known))
    return {
        "E_warp": float(np.mean(errors)),
        "strength": float(np.mean([style_strength(a, b) for a, b in zip(source, painted, strict=True)])),
        "detail": float(np.mean([detail(a, b) for a, b in zip(source, painted, strict=True)])),
    }


def rows(
    film: Path, count: int, smoothing: float, pictures: Path | None, styles: Sequence[str], *, once: bool
) -> list[dict[str, Any]]:
    """A row for every style, size and film."""
    frames = list(read_frames(film))
    first = min(len(frames) * 3 // 4, len(frames) - count)
    found = []
    for size in SIZES:
        source = [fit(frame, size) for frame in frames[first : first + count]]
        if source[0] is None:
            continue
        known = [frame for frame in source if frame is not None]
        place = {"film": film.stem, "size": f"{size[0]}x{size[1]}"}
        found.append(place | {"style": "the film itself"} | measure(known, lambda frames: frames))
        for name, path in sorted(find_styles(SHIPPED).items()):
            if styles and name not in styles:
                continue
            card = read_card(path)
            assert card is not None
            net = measure(known, load(name), smoothing)
            row = place | {"style": name} | net
            if (teacher := teacher_of(card, pictures, once=once)) is not None:
                painter = measure(known, teacher)
                row |= {"painter": painter, "ratio": net["E_warp"] / painter["E_warp"]}
            found.append(row)
    return found


def on_frames(net: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[RgbFrames], RgbFrames]:
    """What a network of 0..255 makes of frames."""

    @torch.inference_mode()
    def paint(frames: RgbFrames) -> RgbFrames:
        return to_frames([rounded(net(to_tensor(frames, torch.device("cpu")).float()))])

    return paint


def teacher_of(card: Card, pictures: Path | None, *, once: bool) -> Callable[[RgbFrames], RgbFrames] | None:
    """What a style learned from; None if that is a picture that is not at hand."""
    if "painter" in card.training:
        return PainterModel(str(card.training["painter"]))
    if "trained" in card.training:
        net = read_multistyle_net(network_file("multistyle"), int(card.training["trained"]))
        return on_frames(net)
    path = pictures / str(card.training["like"]) if pictures else None
    if path is None or not path.is_file():
        return None
    with path.open("rb") as file:
        _, square = read_square(file, path.name, 10**9)
    (vector,) = predict([square])
    if once:
        return on_frames(read_picture_net(network_file("transform"), vector).paint_once)
    return load_picture(vector)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=12, help="consecutive frames of each film")
    parser.add_argument("--smoothing", type=float, default=0.0, help="of the styles, not of the painters")
    parser.add_argument("--pictures", type=Path, help="folder of the pictures that styles were learned from")
    parser.add_argument(
        "--once", action="store_true", help="pictures' networks paint once, as published, and without strokes"
    )
    parser.add_argument("--styles", nargs="+", default=[], help="all by default")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    result = {
        "machine": machine(),
        "rows": [
            row
            for film in options.films
            for row in rows(
                film, options.frames, options.smoothing, options.pictures, options.styles, once=options.once
            )
        ],
    }
    say("| film | size | style | E_warp of the style, 1e-5 | painter's | ratio | strength of the style | painter's |")
    for row in result["rows"]:
        rest = f"| | | {row['strength']:.3f} | |"
        if painter := row.get("painter"):
            rest = f"| {1e5 * painter['E_warp']:.1f} | {row['ratio']:.2f} | {row['strength']:.3f} "
            rest += f"| {painter['strength']:.3f} |"
        say(f"| {row['film']} | {row['size']} | {row['style']} | {1e5 * row['E_warp']:.1f} {rest}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
