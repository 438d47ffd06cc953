"""The training loop: pairs of picture and painting, Adam, a moving average of the weights, checkpoints."""

import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from framebrush_scorer.frames import to_frames
from framebrush_scorer.net import TransformerNet, pad
from framebrush_scorer.painters import PAINTERS
from framebrush_scorer.training.content import Content, Frame
from framebrush_scorer.training.losses import painting_loss, random_flow, stability_loss, warp
from framebrush_scorer.weights import Card

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """What makes a training reproducible, beside its content."""

    painter: str
    """A name of :data:`framebrush_scorer.painters.PAINTERS`."""
    seconds: float
    """How long to train; the learning rate falls to its end over this time."""
    width: int = 16
    """Channels of the first convolution."""
    blocks: int = 3
    """Residual blocks."""
    size: int = 144
    """Edge of the training pictures in pixels, a multiple of 8."""
    batch: int = 4
    """Pictures per step, beside the moved copies of half of them."""
    rate: float = 2e-3
    """Highest learning rate."""
    stability: float = 0.5
    """Weight of the stability term once it is fully on."""
    frozen_from: float = 0.25
    """Part of the training after which the statistics of batch normalisation stay as they are: those of a small batch
    are good enough to find shapes, and too uncertain to find colours."""
    seed: int = 0
    """Of the first weights and of the content."""


class Trainer:
    """Trains one network; :meth:`run` until done, :meth:`save` the result."""

    def __init__(self, recipe: Recipe, learn: list[Frame], keep: list[Frame], out: Path, device: torch.device) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.out, self.device = recipe, out, device
        self.content = Content(learn, recipe.size)
        self.keep = keep
        self.net = TransformerNet(recipe.width, recipe.blocks, "batch").to(device).to(memory_format=torch.channels_last)
        self.average = AveragedModel(self.net, avg_fn=average_weights)
        self.optimiser = torch.optim.Adam(self.net.parameters(), recipe.rate, betas=(0.9, 0.99))
        self.step, self.elapsed, self.frozen, self.losses = 0, 0.0, False, list[float]()
        self.checkpoint = out.with_suffix(".checkpoint")
        if self.checkpoint.exists():
            self.restore()
        # New content after a restart, and the same in every run that restarts at the same step.
        self.rng = np.random.default_rng([recipe.seed, self.step])
        self.generator = torch.Generator().manual_seed(int(self.rng.integers(2**31)))
        self.pool: list[tuple[Tensor, Tensor]] = []

    @property
    def progress(self) -> float:
        """Part of the training that is done, in 0..1."""
        return min(1.0, self.elapsed / self.recipe.seconds)

    def run(self, report_every: float = 30.0, save_every: float = 300.0) -> None:
        """Train until the time is over; report, and save checkpoint, weights and preview, every so many seconds."""
        self.fill(32)
        reported = saved = self.elapsed
        start, since = time.monotonic() - self.elapsed, self.step
        total = 0.0
        while self.progress < 1:
            if not self.frozen and self.progress >= self.recipe.frozen_from:
                self.freeze()
            total += self.train_step()
            self.elapsed = time.monotonic() - start
            if self.elapsed - reported >= report_every or self.progress >= 1:
                self.losses.append(round(total / (self.step - since), 4))
                log.info("%3.0f %%  step %d  loss %.4f", 100 * self.progress, self.step, self.losses[-1])
                reported, since, total = self.elapsed, self.step, 0.0
            if self.elapsed - saved >= save_every:
                self.save()
                saved = self.elapsed
        self.save()
        self.checkpoint.unlink()

    def train_step(self) -> float:
        """Take one step; return its loss."""
        recipe, moved = self.recipe, self.recipe.batch // 2
        decay = 0.505 + 0.495 * math.cos(math.pi * self.progress)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate * decay * min(1, (self.step + 1) / 50) / (2 if self.frozen else 1)
        x, target = self.draw(recipe.batch)
        flow = random_flow(self.generator, moved, recipe.size).to(self.device)
        later = warp(x[:moved], flow)
        later = later * (1 + 0.03 * self.noise(moved, 1, 1, 1)) + self.rng.uniform(0, 0.03) * self.noise(*later.shape)
        x, target = torch.cat([x, later.clamp(0, 1)]), torch.cat([target, warp(target[:moved], flow)])
        y = self.paint(self.net, x)
        loss = painting_loss(y, target)
        if moved:
            weight = recipe.stability * min(1.0, 4 * self.progress)
            loss = loss + weight * stability_loss(y[:moved], y[recipe.batch :], flow)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.average.update_parameters(self.net)
        self.step += 1
        return float(loss.detach())

    def noise(self, *shape: int) -> Tensor:
        """Return normal noise from the run's own generator."""
        return torch.randn(shape, generator=self.generator).to(self.device)

    def paint(self, net: nn.Module, x: Tensor) -> Tensor:
        """Run a network on pictures in 0..1; it works on -1..1 while it learns, see :meth:`export`."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            y: Tensor = net((x * 2 - 1).contiguous(memory_format=torch.channels_last))
        return y.float() / 2 + 0.5

    def freeze(self) -> None:
        """Fix the statistics of batch normalisation: from here on the network is trained as it will be used."""
        update_bn(((self.draw(self.recipe.batch)[0] * 2 - 1) for _ in range(40)), self.net)
        self.net.eval()
        self.average.n_averaged.zero_()  # start anew from the network with these statistics
        self.frozen = True
        log.info("statistics fixed at step %d", self.step)

    def fill(self, count: int) -> None:
        """Add painted pictures to the pool, which forgets the oldest of 1024."""
        pictures = np.stack([self.content.draw(self.rng) for _ in range(count)])
        x = torch.from_numpy(pictures).permute(0, 3, 1, 2).to(self.device)
        with torch.no_grad():
            y = PAINTERS[self.recipe.painter](x)
        self.pool += zip((x * 255).round().byte(), (y * 255).round().byte(), strict=True)
        del self.pool[:-1024]

    def draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Return pictures and their paintings, each (count, 3, size, size) in 0..1, turned and mirrored at random."""
        self.fill(1)
        pairs = [torch.stack(self.pool[k]) for k in self.rng.integers(len(self.pool), size=count)]
        pairs = [pair.flip(3) if self.rng.random() < 0.5 else pair for pair in pairs]
        both = torch.stack(pairs).float() / 255  # (count, 2, 3, size, size)
        return both[:, 0], both[:, 1]

    def save(self) -> None:
        """Write checkpoint, weights, card and preview."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": {"step": self.step, "elapsed": self.elapsed, "frozen": self.frozen, "losses": self.losses},
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)
        net = export(cast(TransformerNet, self.average.module))
        save_file(compress(net), self.out)
        self.out.with_suffix(".json").write_text(self.card().model_dump_json(indent=2) + "\n")
        self.preview(net, self.out.with_suffix(".png"))

    def restore(self) -> None:
        """Go on from the checkpoint."""
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.elapsed = state["progress"]["step"], state["progress"]["elapsed"]
        self.frozen, self.losses = state["progress"]["frozen"], state["progress"]["losses"]
        self.net.train(not self.frozen)
        log.info("resumed %s at step %d", self.checkpoint, self.step)

    def card(self) -> Card:
        """Describe the network."""
        recipe = self.recipe
        return Card(
            title=f"{recipe.painter}, learned from the painter of that name",
            licence="MIT",
            width=recipe.width,
            blocks=recipe.blocks,
            norm="batch",
            training={
                "painter": recipe.painter,
                "steps": self.step,
                "seconds": round(self.elapsed),
                "batch": recipe.batch,
                "size": recipe.size,
                "rate": recipe.rate,
                "stability": recipe.stability,
                "seed": recipe.seed,
                "losses": thin(self.losses),
            },
        )

    def preview(self, net: TransformerNet, path: Path) -> None:
        """Write a sheet: frames kept apart, the painter's paintings of them, the network's."""
        pictures = [resize(frame, width=480) for frame in self.keep[:4]]
        if not pictures:
            pictures = [(self.content.draw(np.random.default_rng(k)) * 255).astype(np.uint8) for k in range(4)]
        rows = []
        for picture in pictures:
            x = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
            with torch.no_grad():
                y = net.eval()(pad(x))[..., : x.shape[2], : x.shape[3]]
                rows.append(torch.cat([x, PAINTERS[self.recipe.painter](x / 255) * 255, y], dim=3))
        cv2.imwrite(str(path), cv2.cvtColor(to_frames(torch.cat(rows, dim=2))[0], cv2.COLOR_RGB2BGR))


def resize(frame: Frame, width: int) -> Frame:
    """Return a frame at another width, its shape kept."""
    height = max(1, round(frame.shape[0] * width / frame.shape[1]))
    return cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def average_weights(average: Tensor, now: Tensor, count: Tensor | int) -> Tensor:
    """Return the moving average over about the last 500 steps, or over the last half of fewer."""
    return torch.lerp(average, now, max(0.002, 2 / (int(count) + 2)))


def thin(values: list[float], count: int = 20) -> list[float]:
    """Return at most ``count`` of the values, evenly spread, the last included."""
    picks = np.linspace(0, len(values) - 1, min(count, len(values))).round().astype(int)
    return [values[k] for k in picks]


def export(net: TransformerNet) -> TransformerNet:
    """Return a copy that takes and gives 0..255, of a network that takes and gives -1..1; exact up to rounding."""
    copied = TransformerNet(net.width, net.blocks, net.norm)
    copied.load_state_dict({key: value.cpu() for key, value in net.state_dict().items()})
    state = copied.state_dict()
    state["conv1.conv2d.weight"] /= 127.5
    state["conv1.conv2d.bias"] -= 127.5 * state["conv1.conv2d.weight"].sum((1, 2, 3))
    state["deconv3.conv2d.weight"] *= 127.5
    state["deconv3.conv2d.bias"].mul_(127.5).add_(127.5)
    return copied


def compress(net: TransformerNet) -> dict[str, Tensor]:
    """Return the tensors to store: kernels in half precision, which costs nothing visible, the rest as it is."""
    return {key: value.half() if value.ndim == 4 else value for key, value in net.state_dict().items()}
