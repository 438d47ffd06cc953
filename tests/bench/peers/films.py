"""Films as arrays, by two processes of ffmpeg."""

import json
import subprocess
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.uint8]
"""Frames as RGB, uint8 (B, H, W, 3)."""
BATCH = 8


def _probe(film: str) -> dict[str, Any]:
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_streams", "-of", "json", film]
    stream: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"][0]
    return stream


def _pipe(process: "subprocess.Popen[bytes]", name: str) -> IO[bytes]:
    pipe: IO[bytes] | None = getattr(process, name)
    assert pipe is not None
    return pipe


def read(film: str, batch: int = BATCH) -> Iterator[Frames]:
    """All frames, some at a time."""
    found = _probe(film)
    width, height = int(found["width"]), int(found["height"])
    command = ["ffmpeg", "-v", "error", "-i", film, "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        pipe = _pipe(process, "stdout")
        while data := pipe.read(batch * height * width * 3):
            yield np.frombuffer(data, np.uint8).reshape(-1, height, width, 3)


def write(output: str, film: str, painted: Iterable[Frames]) -> None:
    """Encode frames as framebrush does by default, with the sound of the film."""
    found = _probe(film)
    command = [
        *("ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"),
        *("-s", f"{found['width']}x{found['height']}", "-r", found["avg_frame_rate"], "-i", "pipe:"),
        *("-i", film, "-map", "0:v", "-map", "1:a?", "-c:a", "copy", "-c:v", "libx264", "-pix_fmt", "yuv420p", output),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        pipe = _pipe(process, "stdin")
        for frames in painted:
            pipe.write(frames.tobytes())
    assert process.returncode == 0
