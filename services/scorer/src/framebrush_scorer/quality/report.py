"""Draws pictures of a comparison: a plot over time, and frames of both videos side by side."""

from pathlib import Path

import cv2
import numpy as np

from framebrush_scorer.quality.comparison import Quality, pairs


def plot(quality: Quality, path: Path) -> None:
    """Write a plot of flicker and style over time, as PNG or SVG by the suffix of ``path``.

    This needs matplotlib, which the extra ``training`` installs.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 5), layout="constrained")
    flicker, style = figure.subplots(2, sharex=True)
    flicker.plot(np.array(quality.series.warp_error, float), label=quality.styled)  # null is a gap
    flicker.plot(np.array(quality.series.source_warp_error, float), label=quality.source)
    flicker.set(ylabel="E_warp", title=f"{quality.styled}: E_warp {quality.warp_error:.5f}", ylim=(0, None))
    flicker.legend(loc="upper right")
    style.plot(quality.series.style_strength, label="style strength")
    style.plot(quality.series.ssim, label="SSIM to the source")
    style.set(xlabel="frame", ylim=(0, 1))
    style.legend(loc="upper right")
    figure.savefig(path, dpi=110)


def strip(source: Path, styled: Path, frames: int, path: Path, count: int = 4, width: int = 480) -> None:
    """Write a picture of ``count`` frames spread over the videos, with the source's frames above the styled ones.

    Args:
        source: The source.
        styled: The styled video, of the same size and number of frames.
        frames: The number of frames of each video.
        path: The picture to write, as PNG or JPEG by its suffix.
        count: The most frames to show of each video.
        width: The width of each frame on the strip, in pixels.

    """
    chosen = {*np.linspace(0, frames - 1, min(count, frames)).round().astype(int).tolist()}
    columns = []
    for number, both in enumerate(pairs(source, styled)):
        if number in chosen:
            height = max(1, round(both[0].shape[0] * width / both[0].shape[1]))
            columns.append(
                np.vstack([cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA) for each in both])
            )
    cv2.imwrite(str(path), cv2.cvtColor(np.hstack(columns), cv2.COLOR_RGB2BGR))
