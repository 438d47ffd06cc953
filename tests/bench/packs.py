"""What frames weigh and take on their way, and how like the input an identity run is.

``PYTHONPATH=tests python tests/bench/packs.py VIDEO`` prints the tables of
docs/video.md. CPU time of one thread, so that other work on the machine matters little.
"""

import argparse
import io
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from support.pipeline import Pipeline

from framebrush.media import BgrImage, Converter, decode_image, encode_jpeg, encode_png, psnr, read_media_info

CODECS: dict[str, Callable[[BgrImage], bytes]] = {
    "JPEG, quality 80": lambda image: encode_jpeg(image, 80),
    "JPEG, quality 90": lambda image: encode_jpeg(image, 90),
    "**JPEG, quality 95** (default)": lambda image: encode_jpeg(image, 95),
    "JPEG, quality 98": lambda image: encode_jpeg(image, 98),
    "JPEG, quality 100": lambda image: encode_jpeg(image, 100),
    "**PNG** (Up, Huffman only)": encode_png,
    "PNG, OpenCV's defaults": lambda image: cv2.imencode(".png", image)[1].tobytes(),
    "PNG, zlib's level 1": lambda image: cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes(),
    "WebP, lossless": lambda image: cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes(),
    "TIFF, LZW": lambda image: cv2.imencode(".tiff", image, [cv2.IMWRITE_TIFF_COMPRESSION, 5])[1].tobytes(),
    "BMP (as it is)": lambda image: cv2.imencode(".bmp", image)[1].tobytes(),
}
RUNS: dict[str, dict[str, Any]] = {
    "defaults: JPEG 95, H.264, CRF 20": {},
    "the packs alone: JPEG 95, lossless RGB": {"codec": "ffv1"},
    "JPEG 98, lossless RGB": {"codec": "ffv1", "jpeg_quality": 98},
    "PNG, lossless RGB": {"codec": "ffv1", "pack_codec": "png"},
    "PNG, H.264, lossless, `yuv420p`": {"pack_codec": "png", "lossless": True, "pixel_format": "yuv420p"},
    "PNG, H.264, lossless, 10 bits, `yuv444p`": {
        "pack_codec": "png", "lossless": True, "bits": 10, "pixel_format": "yuv444p",
    },
    "PNG, H.264, CRF 8": {"pack_codec": "png", "crf": 8},
    "JPEG 98, H.265, 10 bits, CRF 8": {"jpeg_quality": 98, "codec": "h265", "bits": 10, "crf": 8, "preset": "fast"},
    "PNG, ProRes HQ": {"pack_codec": "png", "codec": "prores"},
    "JPEG 95, AV1, CRF 28": {"codec": "av1"},
    "JPEG 95, VP9, CRF 28": {"codec": "vp9", "preset": "veryfast"},
}  # fmt: skip


def images(video: bytes) -> Iterator[BgrImage]:
    """All frames as RGB, as their tags mean it."""
    with av.open(io.BytesIO(video), "r") as container:
        converter = Converter(read_media_info(container).video)
    with av.open(io.BytesIO(video), "r") as container:
        yield from map(converter.to_image, container.decode(video=0))


def row(cells: str) -> None:
    """A row of a table, as soon as it is known."""
    sys.stdout.write(f"| {cells} |\n")
    sys.stdout.flush()


def packs(frames: list[BgrImage]) -> None:
    """A row per codec: kilobytes, milliseconds either way, likeness of the least like frame."""
    row("packs | kB a frame | encode, ms | decode, ms | least PSNR, dB |\n|---|---:|---:|---:|---:")
    for name, encode in CODECS.items():
        began = time.thread_time()
        data = [encode(frame) for frame in frames]
        middle = time.thread_time()
        back = [decode_image(each, *frame.shape[:2]) for each, frame in zip(data, frames, strict=True)]
        ended = time.thread_time()
        count, least = len(frames), min(map(psnr, frames, back))
        size = sum(map(len, data)) / count / 1000
        row(
            f"{name} | {size:.0f} | {1000 * (middle - began) / count:.1f} | {1000 * (ended - middle) / count:.1f} "
            f"| {'exact' if least == float('inf') else f'{least:.1f}'}"
        )


def runs(video: Path) -> None:
    """A row per kind of run: likeness and size."""
    row("identity run | mean PSNR, dB | least | MB |\n|---|---:|---:|---:")
    data = video.read_bytes()
    for name, options in RUNS.items():
        pipeline = Pipeline()
        pipeline.submit(pipeline.put(video.name, data), **options)
        status = pipeline.run()
        if status.error:
            raise SystemExit(f"{name}: {status.error.description}")
        output = pipeline.output()
        likeness = [psnr(a, b) for a, b in zip(images(data), images(output), strict=True)]
        mean, least = float(np.mean(likeness)), min(likeness)
        words = "exact | exact" if least == float("inf") else f"{mean:.1f} | {least:.1f}"
        row(f"{name} | {words} | {len(output) / 1e6:.1f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    options = parser.parse_args()
    packs(list(images(options.video.read_bytes()))[::12])
    sys.stdout.write("\n")
    runs(options.video)


if __name__ == "__main__":
    main()
