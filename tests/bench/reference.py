"""The way of the reference architecture: a message for each frame, and the network loaded anew for each message.

Usage: reference.py WEIGHTS FILM OUTPUT

What "Batch scoring of deep learning models on AKS" describes: ffmpeg makes pictures of the film's frames, a queue has
the name of each, a worker loads the network, paints one picture, and stores it, and ffmpeg puts them together. Here the
queue is in the process and the store is a folder, so that nothing is measured but that way of working.
"""

import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path

import cv2
import numpy as np
import torch

from framebrush_scorer.networks import read_network


def paint(weights: Path, picture: Path, painted: Path) -> None:
    """Handle a message."""
    net = read_network(weights).eval()
    pixels = torch.from_numpy(cv2.imread(str(picture))[..., ::-1].astype(np.float32))
    with torch.no_grad():
        result = net(pixels.permute(2, 0, 1)[None])[0].clamp(0, 255).round().byte()
    cv2.imwrite(str(painted), result.permute(1, 2, 0).numpy()[..., ::-1])


def main() -> None:
    """Paint a film."""
    weights, film, output = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    with tempfile.TemporaryDirectory() as folder:
        frames, painted = Path(folder) / "frames", Path(folder) / "painted"
        frames.mkdir()
        painted.mkdir()
        subprocess.run(["ffmpeg", "-v", "error", "-i", film, "-q:v", "2", frames / "%06d.jpg"], check=True)
        queue = deque(sorted(path.name for path in frames.iterdir()))
        while queue:
            name = queue.popleft()
            paint(weights, frames / name, painted / name)
        probe = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=avg_frame_rate"]
        rate = subprocess.run([*probe, "-of", "csv=p=0", film], capture_output=True, text=True, check=True).stdout
        command = [
            *("ffmpeg", "-v", "error", "-y", "-framerate", rate.strip().rstrip(","), "-i", painted / "%06d.jpg"),
            *("-i", film, "-map", "0:v", "-map", "1:a?", "-c:a", "copy", "-c:v", "libx264", "-pix_fmt", "yuv420p"),
            output,
        ]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
