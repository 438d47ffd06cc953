"""How fast styles are: a frame through each, against the network of pytorch/examples as it is written there.

Usage: styles.py [--rounds N] [--threads N] [--sizes WxH ...] [--json FILE]; prints a table and, if asked,
writes the figures.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from machine import machine, say
from torch import Tensor, nn

from framebrush.contracts import PICTURE
from framebrush.pictures.prediction import COUNT
from framebrush.styles import BUILT_IN, find_styles
from framebrush_scorer.models import SHIPPED, PainterModel, StyleModel, load, load_picture
from framebrush_scorer.networks import TransformerNet, pad, read_network
from framebrush_scorer.networks.precision import likeness
from framebrush_scorer.pipeline.brush import brush_size, paint_tensors

SIZES = ((640, 360), (1280, 720))


class Residual(nn.Module):
    """A block of the plain network."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + x


def plain(width: int = 32, blocks: int = 5) -> nn.Sequential:
    """The network of pytorch/examples as it is written there: full width, instance normalisation, float32.

    Its output uses the range of colours, as that of a trained network does.
    """

    def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
        return [nn.ReflectionPad2d(kernel // 2), nn.Conv2d(inputs, outputs, kernel, stride)]

    def norm(channels: int) -> nn.Module:
        return nn.InstanceNorm2d(channels, affine=True)

    layers = [*conv(3, width, 9), norm(width), nn.ReLU()]
    for a, b in pairwise([width, 2 * width, 4 * width]):
        layers += [*conv(a, b, 3, 2), norm(b), nn.ReLU()]
    for _ in range(blocks):
        c = 4 * width
        layers.append(Residual(*conv(c, c, 3), norm(c), nn.ReLU(), *conv(c, c, 3), norm(c)))
    for a, b in pairwise([4 * width, 2 * width, width]):
        layers += [nn.Upsample(scale_factor=2, mode="nearest"), *conv(a, b, 3), norm(b), nn.ReLU()]
    net = nn.Sequential(*layers, *conv(width, 3, 9)).eval().requires_grad_(False)
    last = net[-1]
    assert isinstance(last, nn.Conv2d) and last.bias is not None
    last.weight *= 60
    last.bias += 127
    return net


def checkpoint(net: nn.Sequential) -> TransformerNet:
    """The plain network's weights under their names in pytorch/examples, through a file and our loader."""
    blocks = [f"res{k}.{part}" for k in range(1, 6) for part in ("conv1.conv2d", "in1", "conv2.conv2d", "in2")]
    stem = ["conv1.conv2d", "in1", "conv2.conv2d", "in2", "conv3.conv2d", "in3"]
    layers = [*stem, *blocks, "deconv1.conv2d", "in4", "deconv2.conv2d", "in5", "deconv3.conv2d"]
    names = [f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")]
    with TemporaryDirectory() as folder:
        path = Path(folder, "checkpoint.pth")
        torch.save(dict(zip(names, net.state_dict().values(), strict=True)), path)
        return read_network(path)


def seconds(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The shortest time of each, in turns, so that other programs disturb all alike."""
    shortest = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            shortest[name] = min(shortest[name], time.perf_counter() - started)
    return shortest


@torch.inference_mode()
def measure(rounds: int, sizes: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """Frames per second and decibels of every network, at every size."""
    torch.manual_seed(0)
    reference = plain()
    nets = {"pytorch/examples": checkpoint(reference)}
    nets |= {name: read_network(path) for name, path in sorted(find_styles(SHIPPED).items())}
    models: dict[str, StyleModel | PainterModel] = {name: StyleModel(name, net, "cpu") for name, net in nets.items()}
    models |= {name: PainterModel(name, "cpu") for name in BUILT_IN[1:]}
    runs = {f"{PICTURE} in a run": load_picture([0.0] * COUNT, device="cpu"), "starry in a run": load("starry")}
    result: dict[str, Any] = {"machine": machine(), "threads": torch.get_num_threads(), "rows": []}
    for width, height in sizes:
        frame = (255 * torch.rand(1, 3, height, width)).byte()
        frame = nn.functional.avg_pool2d(frame.float(), 5, 1, 2).byte().contiguous(memory_format=torch.channels_last)
        x = pad(frame.float()).contiguous()
        calls: dict[str, Callable[[], object]] = {"as written": partial(reference, x)}
        calls |= {name: partial(model.paint, frame) for name, model in models.items()}
        for name, model in runs.items():
            calls[name] = partial(paint_tensors, model, frame, brush_size(model, (height, width), 1))
        took = seconds(calls, rounds)
        for name, model in (models | runs).items():
            decibels = None
            if name in nets:
                assert isinstance(model, StyleModel)
                exact = reference(x) if name == "pytorch/examples" else nets[name](x)
                decibels = likeness(model.paint(frame), exact[..., :height, :width])
            result["rows"].append(
                {
                    "size": f"{width}x{height}",
                    "net": name,
                    "format": str(getattr(model, "dtype", torch.float32)).removeprefix("torch."),
                    "frames/s": 1 / took[name],
                    "as written": 1 / took["as written"],
                    "ratio": took["as written"] / took[name],
                    "dB": decibels,
                }
            )
    return result


def size(text: str) -> tuple[int, int]:
    """A width and a height."""
    width, height = text.split("x")
    return int(width), int(height)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=0, help="default: all cores")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sizes", nargs="+", type=size, default=SIZES, metavar="WxH")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    result = measure(options.rounds, options.sizes)
    say(f"{result['machine']}, {result['threads']} threads")
    say("| size | network | format | frames/s | as written | ratio | dB |")
    for row in result["rows"]:
        decibels = f"{row['dB']:.1f}" if row["dB"] else ""
        say(
            "| {size} | {net} | {format} | {frames/s:.2f} | {as written:.2f} | {ratio:.1f} | ".format(**row)
            + decibels
            + " |"
        )
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
