"""Draws a sheet of pictures to look at while a network learns."""

from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from framebrush_scorer.frames import RgbFrame
from framebrush_scorer.models import rounded, to_frames
from framebrush_scorer.networks import TransformerNet, pad
from framebrush_scorer.painters import lay_strokes
from framebrush_scorer.training.teachers import Teacher


def preview(net: TransformerNet, teacher: Teacher, frames: list[RgbFrame], path: Path, width: int = 480) -> None:
    """Write a sheet with a row for each of the first four frames: the frame, the teacher's target, the painting.

    Args:
        net: The network, which takes and gives 0..255.
        teacher: The teacher of the network.
        frames: RGB frames uint8 (H, W, 3) of any size.
        path: The picture to write, as PNG or JPEG by its suffix.
        width: The greatest width of a picture on the sheet, in pixels.

    """
    device = next(net.parameters()).device
    rows = []
    with torch.no_grad():
        for frame in frames[:4]:
            picture = resize(frame, width)
            x = torch.from_numpy(picture).permute(2, 0, 1)[None].float().to(device)
            y = net.eval()(pad(x))[..., : x.shape[2], : x.shape[3]]
            paintings = [teacher.target(x / 255), y / 255]
            if teacher.strokes:
                paintings = [lay_strokes(painting, x / 255) for painting in paintings]
            rows.append(torch.cat([x, *(255 * painting for painting in paintings)], dim=3))
    widest = max(row.shape[3] for row in rows)
    rows = [F.pad(row, (0, widest - row.shape[3])) for row in rows]
    cv2.imwrite(str(path), cv2.cvtColor(to_frames([rounded(torch.cat(rows, dim=2))])[0], cv2.COLOR_RGB2BGR))


def resize(frame: RgbFrame, width: int) -> RgbFrame:
    """Return a frame brought to at most ``width`` pixels of width. It keeps its aspect ratio."""
    if frame.shape[1] <= width:
        return frame
    height = max(1, round(frame.shape[0] * width / frame.shape[1]))
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
