"""Planning and joining against the length of a film: what each frame adds, and what is the same for all films.

Usage: lengths.py [--frames N N]
"""

import argparse
import logging
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np
from handlers import handlers, one_run
from machine import say

from framebrush.contracts import BlobRef
from framebrush.service import bound_arenas
from framebrush.storage import MemoryStore

STEPS = ("plan", "join")


def film(path: Path, frames: int) -> Path:
    """Small frames with sound of AAC, as what is measured takes as long for small frames as for large ones."""
    noise = np.random.default_rng(0).integers(96, 160, (135, 160), dtype=np.uint8)
    tone = np.repeat((np.sin(np.arange(1920) / 10) * 3000).astype(np.int16), 2)[None]
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "g": "250"})
        video.width, video.height, video.pix_fmt = 160, 90, "yuv420p"
        sound: Any = container.add_stream("aac", rate=48000, layout="stereo")
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(noise, number, 1), format="yuv420p")
            block = av.AudioFrame.from_ndarray(tone, format="s16", layout="stereo")
            frame.pts, block.pts, block.sample_rate = number, 1920 * number, 48000
            container.mux([*video.encode(frame), *sound.encode(block)])
        container.mux([*video.encode(None), *sound.encode(None)])
    return path


def measure(short: int, long: int) -> dict[str, Any]:
    """Seconds of CPU of either step: of every film (``begin``), and of a frame with its sound (``frame``)."""
    found = list[dict[str, dict[str, float]]]()
    store = MemoryStore()
    split, stitch = handlers(store)
    with tempfile.TemporaryDirectory() as folder:
        for number, frames in enumerate((short, short, long)):  # the first one loads libraries
            ref = BlobRef(container="input", name=f"film-{number}.mp4")
            store.write(ref, film(Path(folder) / "film.mp4", frames).read_bytes())
            found.append(one_run(store, split, stitch, ref, f"run-{number}"))
    _, one, two = found
    # CPU is counted in hundredths of a second: films of some frames may differ the wrong way round.
    per_frame = {step: max(0.0, two[step]["cpu"] - one[step]["cpu"]) / (long - short) for step in STEPS}
    return {
        "frames": [short, long],
        "frame": per_frame,
        "begin": {step: max(0.0, one[step]["cpu"] - short * per_frame[step]) for step in STEPS},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, nargs=2, default=[250, 10_000])
    options = parser.parse_args()
    logging.disable()
    bound_arenas()  # as the services do
    result = measure(*options.frames)
    for step in STEPS:
        frame, begin = result["frame"][step], result["begin"][step]
        say(f"{step}: {frame * 1e6:.0f} µs of CPU for a frame, and {begin:.2f} s for a film")


if __name__ == "__main__":
    main()
