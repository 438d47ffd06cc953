"""What the stages are compared with: FFmpeg doing the same steps, and a model without a service around it."""

import multiprocessing
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np

from framebrush.contracts import Options
from framebrush.service import keep_blocks


@dataclass(frozen=True)
class Took:
    """What something took."""

    wall: float
    """Seconds by the clock."""
    cpu: float
    """Seconds of CPU, in user and kernel mode."""


def ffmpeg(video: Path) -> Took:
    """What ffmpeg takes to decode into JPEG files and to encode these as a run does, with the sound copied."""
    options = Options()
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        rate, width, height = str(stream.average_rate), stream.width, stream.height
    choice = options.choose(width, height)
    assert choice is not None
    wanted = options.options(choice.encoder, width * height) | {"pix_fmt": choice.pixel_format}
    with tempfile.TemporaryDirectory(prefix="framebrush-bench-") as folder:
        frames = f"{folder}/%06d.jpg"
        decode = ["-i", str(video), "-q:v", "2", frames]
        encode = [
            *("-framerate", rate, "-i", frames, "-i", str(video), "-map", "0:v", "-map", "1:a?", "-c:a", "copy"),
            *("-c:v", choice.encoder.name),
            *(word for name, value in wanted.items() for word in (f"-{name}", value)),
            f"{folder}/out.mp4",
        ]
        cpu, started = _cpu(), time.perf_counter()
        for arguments in (decode, encode):
            subprocess.run([binary(), "-v", "error", "-y", *arguments], check=True)
        return Took(time.perf_counter() - started, _cpu() - cpu)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def bare_model(video: Path, model: str, frames: int) -> dict[str, float]:
    """Frames per second of a model called in a loop on arrays in memory, in a process of its own as a scorer is.

    ``network`` is the model given frames of the size at which it paints them, ``painting`` the model with the way to
    that size and back, which is what a scorer does with a frame beside reading and writing it.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(time_model, video, model, frames).result()


def time_model(video: Path, model: str, frames: int) -> dict[str, float]:
    """See :func:`bare_model`."""
    from framebrush_scorer.models import load
    from framebrush_scorer.pipeline import Controlled, Controls, brush_size

    keep_blocks()  # as the scorer does
    with av.open(str(video)) as container:
        decoded = list(islice(container.decode(video=0), frames))
    images, loaded = np.stack([frame.to_ndarray(format="rgb24") for frame in decoded]), load(model)
    brush = brush_size(loaded, images.shape[1:3], 1.0)
    width, height = round(images.shape[2] / brush), round(images.shape[1] / brush)
    small = np.stack([frame.to_ndarray(format="rgb24", width=width, height=height) for frame in decoded])
    return {
        "width": width,
        "height": height,
        "network": _speed(loaded, small),
        "painting": _speed(Controlled(loaded, Controls()), images),
    }


def _speed(model: Callable[[Any], Any], images: Any) -> float:
    model(images[:2])
    started = time.perf_counter()
    model(images)
    return len(images) / (time.perf_counter() - started)


def repeat(video: Path, times: int, path: Path) -> Path:
    """The video several times over, without encoding it again."""
    arguments = ["-stream_loop", str(times - 1), "-i", str(video), "-c", "copy", str(path)]
    subprocess.run([binary(), "-v", "error", "-y", *arguments], check=True)
    return path


def beginning(video: Path, frames: int, path: Path) -> Path:
    """The first frames of the video, encoded again, with the sound beside them."""
    with av.open(str(video)) as container:
        rate = container.streams.video[0].average_rate
    assert rate is not None
    arguments = ["-i", str(video), "-frames:v", str(frames), "-t", str(float(frames / rate)), str(path)]
    subprocess.run([binary(), "-v", "error", "-y", *arguments], check=True)
    return path


def binary() -> str:
    """The path of ffmpeg; ends the process with the remedy if there is none."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise SystemExit("bench: ffmpeg is missing: sudo apt-get install -y ffmpeg")
    return found
