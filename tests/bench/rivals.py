"""``make bench-peers``: the same film in the same style by other ways to do it, start included."""

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import torch
from baselines import binary
from machine import machine, say
from report import DOCS, load, write
from run import CLIP

from framebrush_scorer.models import SHIPPED
from framebrush_scorer.networks import read_network

HERE = Path(__file__).parent.resolve()
PEERS = HERE / "peers"
SIZE = (640, 360)
"""The frames that all of them paint: framebrush paints larger ones at this size, too."""


def small(film: Path, path: Path, frames: int | None) -> Path:
    """The film at the size that is painted, with its sound."""
    most = ["-frames:v", str(frames)] if frames else []
    scale = f"scale={SIZE[0]}:{SIZE[1]}"
    command = [binary(), "-v", "error", "-i", str(film), *most, "-shortest", "-vf", scale, "-crf", "16", str(path)]
    subprocess.run(command, check=True)
    return path


def export(weights: Path, path: Path) -> Path:
    """The network as ONNX, for frames of this size."""
    net, example = read_network(weights).eval(), torch.zeros(1, 3, SIZE[1], SIZE[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (example,), path, dynamo=False, input_names=["frames"], output_names=["painted"])
    return path


def timed(command: Sequence[str | Path], folder: Path) -> float:
    """Seconds by the clock of a whole process in a folder, and of all that it starts."""
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: {command}: {done.stderr[-2000:]}")
    return time.perf_counter() - begun


def measure(film: Path, style: str, frames: int | None) -> dict[str, Any]:
    """Seconds of each, one after the other."""
    weights = SHIPPED / f"{style}.safetensors"
    with tempfile.TemporaryDirectory(prefix="framebrush-bench-") as name:
        folder = Path(name)
        source, model = small(film, folder / "film.mp4", frames), export(weights, folder / "style.onnx")
        with av.open(str(source)) as container:
            count = sum(1 for packet in container.demux(video=0) if packet.size)
        python, peer = sys.executable, str(PEERS / ".venv/bin/python")
        ways: dict[str, list[str | Path]] = {
            "framebrush": [Path(python).with_name("framebrush"), "style", source, "--style", style, "-o"],
            "reference": [python, HERE / "reference.py", weights, source],
            "script": [peer, PEERS / "script.py", model, source],
            "ray": [peer, PEERS / "by_ray.py", model, source],
        }
        seconds = dict[str, float]()
        for way, command in ways.items():
            say(f"{way}: {count} frames")
            output = folder / f"{way}.mp4"
            seconds[way] = timed([*command, output], folder)
            with av.open(str(output)) as container:
                found = sum(1 for packet in container.demux(video=0) if packet.size)
            assert found == count, f"{way} made {found} frames"
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": machine(),
        "clip": film.name,
        "style": style,
        "frames": count,
        "seconds": seconds,
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path, default=CLIP)
    parser.add_argument("--style", default="wave", help="one that is not laid in strokes, which the others leave out")
    parser.add_argument("--frames", type=int, help="the first ones only")
    parser.add_argument("--output", type=Path, default=DOCS, help="the folder of benchmarks.json and benchmarks.md")
    options = parser.parse_args()
    result = measure(options.video, options.style, options.frames)
    say(", ".join(f"{way} {seconds:.1f} s" for way, seconds in result["seconds"].items()))
    say(f"written: {write(load(options.output) | {'peers': result}, options.output)}")


if __name__ == "__main__":
    main()
