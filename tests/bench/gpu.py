"""What a GPU gives: the network alone, the model with its copies, and a whole scorer, with each change on and off.

Usage: gpu.py [--device cuda] [--style wave] [--sizes WxH ...] [--frames N] [--json FILE]; prints tables.

It needs neither broker nor storage: packs are in memory. It runs on a CPU, too, which tests it.
"""

import argparse
import hashlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from machine import say
from styles import size
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from framebrush.contracts import BatchReady, BlobRef, FrameRange, Manifest, Options, State, Status
from framebrush.media import PackWriter, encode_image
from framebrush.runs import Runs
from framebrush.service import cores, keep_blocks
from framebrush.storage import MemoryStore
from framebrush_scorer.frames import RgbFrames
from framebrush_scorer.models import SHIPPED, StyleModel, host_frames, load
from framebrush_scorer.networks import TransformerNet, read_network
from framebrush_scorer.pipeline import Scorer
from framebrush_scorer.pipeline.controls import Controlled, Controls
from framebrush_scorer.settings import ScorerSettings, slots

SIZES = ((1280, 720), (1920, 1080))
CHECKPOINT = "a pytorch/examples checkpoint"
SECONDS = 2.0
"""For how long each thing is done again and again."""
GOLDEN = Path(__file__).parents[1] / "contract" / "golden" / "manifest.json"
CONNECTIONS: dict[str, Any] = {"storage_connection_string": "unused", "servicebus_connection_string": "unused"}


def rate(call: Callable[[], object], count: int, device: torch.device, seconds: float) -> float:
    """Frames per second of a call that does so many frames, after three calls that warm up."""
    for _ in range(3):
        call()
    settle(device)
    begun, calls = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        call()
        calls += 1
    settle(device)
    return calls * count / (time.perf_counter() - begun)


def settle(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def kernels(call: Callable[[], object], device: torch.device, most: int = 8) -> dict[str, Any]:
    """The milliseconds of all kernels of a call, by the clock and in kernels, and the longest ones."""
    if device.type != "cuda":
        return {}
    call()
    settle(device)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as found:
        begun = time.perf_counter()
        call()
        settle(device)
        wall = time.perf_counter() - begun
    events = [each for each in found.key_averages() if each.self_device_time_total]
    events.sort(key=lambda each: -each.self_device_time_total)
    return {
        "wall": 1e3 * wall,
        "kernels": sum(each.self_device_time_total for each in events) / 1e3,
        "longest": {each.key[:70]: round(each.self_device_time_total / 1e3, 3) for each in events[:most]},
    }


def picture(width: int, height: int) -> RgbFrames:
    """A frame of soft shapes with some detail, (H, W, 3), about as large in a pack as a frame of a film."""
    rng = np.random.default_rng(0)
    soft = cv2.resize(rng.integers(0, 256, (9, 16, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.add(soft, rng.integers(0, 8, soft.shape, np.uint8)).astype(np.uint8)


def network(model: StyleModel, width: int, height: int, device: torch.device, options: Any) -> Iterator[dict[str, Any]]:
    """The network alone on pictures of this size that are on the device, however its strokes then look."""
    frame = torch.from_numpy(picture(width, height)).to(device).permute(2, 0, 1)[None]

    @torch.inference_mode()
    def paint(x: Tensor) -> Tensor:
        return model.paint_tensor(x)

    for count in options.batches:
        x = frame.expand(count, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        yield {"what": f"batch of {count}", "frames/s": rate(lambda x=x: paint(x), count, device, options.seconds)}
    x = frame.expand(max(options.batches), -1, -1, -1).contiguous(memory_format=torch.channels_last)
    yield {"what": "profile", **kernels(lambda: paint(x), device)}
    if device.type == "cuda" and model.reach is not None:
        plain = model.net

        def graph() -> Callable[[], object]:
            captured = torch.cuda.CUDAGraph()
            with torch.inference_mode(), torch.cuda.graph(captured):
                model.paint_tensor(x)
            return captured.replay

        yield {"what": "captured as a graph", "frames/s": rate(graph(), len(x), device, options.seconds)}
        if options.compile:
            begun = time.perf_counter()
            model.net = torch.compile(plain)  # type: ignore[assignment]
            paint(x)
            settle(device)
            took = time.perf_counter() - begun
            fast = rate(lambda: paint(x), len(x), device, options.seconds)
            yield {"what": f"compiled, in {took:.0f} s", "frames/s": fast}
            yield {"what": "profile, compiled", **kernels(lambda: paint(x), device)}
            model.net = plain


def with_copies(
    model: StyleModel, width: int, height: int, device: torch.device, options: Any
) -> Iterator[dict[str, Any]]:
    """The model as the scorer calls it: frames come from the machine's memory, and go back there."""
    count = max(1, min(16_000_000 // (width * height), max(options.batches)))
    ordinary: RgbFrames = np.stack([picture(width, height)] * count)
    locked = host_frames(*ordinary.shape[:3])
    locked[:] = ordinary
    call = Controlled(model, Controls())
    for what, frames in (("ordinary memory", ordinary), ("page-locked memory", locked)):
        yield {"what": what, "frames/s": rate(lambda f=frames: call(f), count, device, options.seconds)}
    yield {"what": "profile", **kernels(lambda: call(locked), device, 14)}
    if device.type == "cuda":
        yield {"what": "two threads", "frames/s": in_threads(lambda: call(locked), count, 2, options.seconds)}


def in_threads(call: Callable[[], object], count: int, threads: int, seconds: float) -> float:
    """Frames per second of several threads, each with a stream of its own."""

    def loop() -> int:
        done = 0
        with torch.cuda.stream(torch.cuda.Stream()):
            call()
            begun = time.perf_counter()
            while time.perf_counter() - begun < seconds:
                call()
                done += count
        return done

    with ThreadPoolExecutor(threads) as pool:
        return sum(each.result() for each in [pool.submit(loop) for _ in range(threads)]) / seconds


def scorer(name: str, width: int, height: int, options: Any) -> dict[str, Any]:
    """A whole scorer: packs of JPEG from and to a store in memory, with its default number of batches in hand."""
    store = MemoryStore()
    runs, now = Runs(store, "work"), datetime.now(UTC)
    source = BlobRef(container="input", name="a.mp4")
    runs.create(Status(run_id="a", state=State.RUNNING, created=now, updated=now, input=source, model=name, frames=1))
    golden = Manifest.decode(GOLDEN.read_bytes())
    video = golden.video.model_copy(update={"width": width, "height": height})
    changes = {"run_id": "a", "model": name, "options": Options(model=name), "more_outputs": (), "video": video}
    store.write(runs.blobs("a").manifest, golden.model_copy(update=changes).encode())
    image = encode_image(np.ascontiguousarray(picture(width, height)[..., ::-1]), "jpeg", 97)
    batches = []
    for number in range(max(1, options.frames // options.batch)):
        frames, pack = FrameRange(first=number * options.batch, count=options.batch), PackWriter()
        for index in range(frames.first, frames.stop):
            pack.add_frame(index, image)
        store.write(runs.blobs("a").pack(0, frames), pack.finish())
        batches.append(BatchReady(run_id="a", segment=0, frames=frames, pack=frames, start=0, length=pack.offsets[-1]))
    on_cpu = options.device == "cpu"
    settings = ScorerSettings(
        **CONNECTIONS,
        device=options.device,
        concurrency=3 if on_cpu else slots(cores()),
    )
    handler = Scorer(store, settings)
    handler.warm_up(name)
    list(handler(batches.pop(0)))
    begun, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(settings.concurrency) as pool:
        for each in [pool.submit(lambda batch=batch: list(handler(batch))) for batch in batches]:
            each.result()
    wall, done = time.perf_counter() - begun, len(batches) * options.batch
    styled = sorted(store.list("work", "runs/a/styled/"), key=lambda blob: blob.ref.name)
    return {
        "what": f"scorer, {settings.concurrency} batches in hand",
        "frames/s": done / wall,
        "CPU ms per frame": 1e3 * (time.process_time() - cpu) / done,
        "of bytes": hashlib.sha256(b"".join(store.read(blob.ref) for blob in styled)).hexdigest()[:12],
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--style", default="wave")
    parser.add_argument("--sizes", nargs="+", type=size, default=SIZES, metavar="WxH")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32], metavar="N")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--frames", type=int, default=1800, help="frames that the scorer is given")
    parser.add_argument("--batch", type=int, default=60, help="frames of a batch")
    parser.add_argument("--only", choices=["all", "scorer"], default="all")
    parser.add_argument("--compile", action="store_true", help="try torch.compile, too, which takes a minute")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    keep_blocks()  # as the service does
    device = torch.device(options.device)
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU"
    where = f"{card}, {os.cpu_count()} cores, torch {torch.__version__}, Python {platform.python_version()}"
    result: dict[str, Any] = {"machine": where, "rows": []}
    say(where)
    styles = {options.style: read_network(SHIPPED / f"{options.style}.safetensors"), CHECKPOINT: TransformerNet()}
    for width, height in options.sizes:
        for name, net in styles.items() if options.only == "all" else ():
            model = StyleModel(name, net.eval(), options.device)
            where = {"size": f"{width}x{height}", "style": name, "format": str(model.dtype)}
            for part, measure in (("network", network), ("with copies", with_copies)):
                for row in measure(model, width, height, device, options):
                    result["rows"].append(show(where | {"part": part} | row))
        shipped = load(options.style, device=options.device)
        assert isinstance(shipped, StyleModel)
        where = {"size": f"{width}x{height}", "style": f"{options.style}, at the size of its brush"}
        for row in with_copies(shipped, width, height, device, options):
            result["rows"].append(show(where | {"part": "with copies"} | row))
        with torch.inference_mode() if device.type == "cpu" else nullcontext():
            for _ in range(2):  # the bytes are to be the same
                result["rows"].append(show(where | {"part": "whole"} | scorer(options.style, width, height, options)))
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


def show(row: dict[str, Any]) -> dict[str, Any]:
    """Print a row, and return it."""
    say(", ".join(f"{key} {value:.2f}" if isinstance(value, float) else str(value) for key, value in row.items()))
    return row


if __name__ == "__main__":
    main()
