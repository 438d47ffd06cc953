"""What the stages are compared with: FFmpeg doing the same steps, and a model without a service around it."""

import multiprocessing
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

import av
import numpy as np

from framebrush.contracts import Options
from framebrush.service import keep_blocks


def ffmpeg(video: Path) -> float:
    """Seconds that ffmpeg takes to decode into JPEG files and to encode these as a run does, with the sound copied."""
    options = Options()
    with av.open(str(video)) as container:
        rate = str(container.streams.video[0].average_rate)
    with tempfile.TemporaryDirectory(prefix="framebrush-bench-") as folder:
        frames = f"{folder}/%06d.jpg"
        decode = ["-i", str(video), "-q:v", "2", frames]
        encode = [
            *("-framerate", rate, "-i", frames, "-i", str(video), "-map", "0:v", "-map", "1:a?", "-c:a", "copy"),
            *("-c:v", "libx264", "-crf", str(options.crf), "-preset", options.preset, "-pix_fmt", "yuv420p"),
            f"{folder}/out.mp4",
        ]
        started = time.perf_counter()
        for arguments in (decode, encode):
            subprocess.run([binary(), "-v", "error", "-y", *arguments], check=True)
        return time.perf_counter() - started


def bare_model(video: Path, model: str, frames: int) -> float:
    """Frames per second of a model called in a loop on arrays in memory, in a process of its own as a scorer is."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(time_model, video, model, frames).result()


def time_model(video: Path, model: str, frames: int) -> float:
    """See :func:`bare_model`."""
    from framebrush_scorer.models import load

    keep_blocks()  # as the scorer does
    with av.open(str(video)) as container:
        images = np.stack([frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), frames)])
    loaded = load(model)
    loaded(images[:2])
    started = time.perf_counter()
    loaded(images)
    return len(images) / (time.perf_counter() - started)


def repeat(video: Path, times: int, path: Path) -> Path:
    """The video several times over, without encoding it again."""
    arguments = ["-stream_loop", str(times - 1), "-i", str(video), "-c", "copy", str(path)]
    subprocess.run([binary(), "-v", "error", "-y", *arguments], check=True)
    return path


def binary() -> str:
    """The path of ffmpeg; ends the process with the remedy if there is none."""
    found = shutil.which("ffmpeg")
    if found is None:
        raise SystemExit("bench: ffmpeg is missing: sudo apt-get install -y ffmpeg")
    return found
