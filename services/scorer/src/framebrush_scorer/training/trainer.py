"""Holds the training loop: steps with Adam, a moving average of the weights, and checkpoints."""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from framebrush_scorer.frames import RgbFrame
from framebrush_scorer.networks import Card, TransformerNet
from framebrush_scorer.training.content import Content
from framebrush_scorer.training.export import compress, export, to_unit_range
from framebrush_scorer.training.losses import random_flow, stability_loss, warp
from framebrush_scorer.training.preview import preview
from framebrush_scorer.training.recipe import Recipe
from framebrush_scorer.training.supply import Supply
from framebrush_scorer.training.teachers import Teacher
from framebrush_scorer.training.whole import WholeSupply

log = logging.getLogger(__name__)

Tensors = tuple[Tensor, ...] | list[Tensor]


class Trainer:
    """Trains one network: :meth:`run` trains it to the end and writes its files.

    The random numbers of a step follow from the recipe's seed and the step's number, and the checkpoint holds the rest:
    a training that was killed takes the steps that it would have taken.

    Args:
        recipe: How to train.
        teacher: What makes the targets, and judges the paintings.
        learn: Frames to learn from. Without any, all pictures are generated.
        keep: Frames for the preview, which are not learned from.
        out: The weights to write, ``.safetensors``. Card, preview and checkpoint stand beside them.
        device: The device to train on.
        start: A trained network of the recipe's size to begin with. By default the first weights are random.
        origin: The fields that the card has about the content and the start.
        title: One line for the card that tells what the style is. By default it is the teacher's.

    Raises:
        ValueError: The checkpoint beside ``out`` is of another recipe or teacher, or ``start`` of another size.

    """

    def __init__(
        self,
        recipe: Recipe,
        teacher: Teacher,
        learn: list[RgbFrame],
        keep: list[RgbFrame],
        out: Path,
        device: torch.device,
        start: TransformerNet | None = None,
        origin: dict[str, str] | None = None,
        title: str | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.teacher, self.keep, self.out, self.device = recipe, teacher, keep, out, device
        self.origin = origin or {}
        self.content = Content(learn, recipe.size)
        self.title = title or teacher.title
        if teacher.whole:
            self.supply: Supply = WholeSupply(self.content, teacher, recipe.seed, device, recipe.natural_edge)
        else:
            self.supply = Supply(self.content, teacher, recipe.seed, device)
        net = TransformerNet(recipe.width, recipe.blocks, "batch")
        if start is not None:
            if (start.width, start.blocks, start.norm) != (net.width, net.blocks, net.norm):
                raise ValueError(
                    f"the network to start from has width {start.width}, {start.blocks} blocks and {start.norm} norm; "
                    f"the recipe asks for {net.width}, {net.blocks} and {net.norm}"
                )
            net.load_state_dict(to_unit_range(start).state_dict())
        self.net = net.train().to(device).to(memory_format=torch.channels_last)
        self.average = AveragedModel(self.net, multi_avg_fn=average_weights)
        self.optimiser = torch.optim.Adam(self.net.parameters(), recipe.rate, betas=(0.9, 0.99))
        self.step, self.elapsed, self.frozen = 0, 0.0, False
        self.losses, self.chunk = list[float](), list[float]()
        self.checkpoint = out.with_suffix(".checkpoint")
        if self.checkpoint.exists():
            self.restore()

    @property
    def progress(self) -> float:
        """The part of the training that is done, in 0..1."""
        return min(1.0, self.step / self.recipe.steps)

    def run(
        self,
        report: Callable[["Trainer"], None] = lambda _: None,
        save_every: float = 60.0,
        limit: float = math.inf,
        saved: Callable[["Trainer"], None] = lambda _: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Train to the end or for some time, and write the files; at the end, remove the checkpoint.

        Args:
            report: A function that is called with this trainer after every step.
            save_every: The seconds between two checkpoints with weights, card and preview.
            limit: The seconds after which the training pauses, with a checkpoint. At least one step is taken.
            saved: A function that is called with this trainer after every checkpoint.
            stop: A function that is asked after every step whether the training is to pause, as at the limit.

        Returns:
            Whether the training has come to its end.
        """
        begun = last = time.monotonic()
        before = self.elapsed
        while self.step < self.recipe.steps:
            self.train_step()
            now = time.monotonic()
            self.elapsed = before + now - begun
            report(self)
            if now - begun >= limit or stop():
                break
            if now - last >= save_every:
                self.save()
                saved(self)
                last = time.monotonic()
        self.save()
        saved(self)
        if self.step < self.recipe.steps:
            return False
        self.checkpoint.unlink()
        return True

    def train_step(self) -> float:
        """Take one step and return its loss."""
        recipe, moved = self.recipe, self.recipe.batch // 2
        rng = np.random.default_rng([recipe.seed, 1, self.step])
        generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
        if not self.frozen and self.progress >= recipe.frozen_from:
            self.freeze(rng)
        decay = 0.505 + 0.495 * math.cos(math.pi * self.progress)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate * decay * min(1, (self.step + 1) / 50) / (2 if self.frozen else 1)

        def noise(*shape: int) -> Tensor:
            return torch.randn(shape, generator=generator).to(self.device)

        x, target = self.supply.draw(rng, recipe.batch, self.step)
        flow = random_flow(generator, moved, recipe.size).to(self.device)
        later = warp(x[:moved], flow)
        later = later * (1 + 0.03 * noise(moved, 1, 1, 1)) + rng.uniform(0, 0.03) * noise(*later.shape)
        x, target = torch.cat([x, later.clamp(0, 1)]), torch.cat([target, warp(target[:moved], flow)])
        y = self.paint(x)
        loss = self.teacher.loss(y, target)
        if moved:
            weight = recipe.stability * min(1.0, 4 * self.progress)
            loss = loss + weight * stability_loss(y[:moved], y[recipe.batch :], flow)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimiser.step()
        self.average.update_parameters(self.net)
        self.step += 1
        return self.note(float(loss.detach()))

    def note(self, loss: float) -> float:
        """Add a loss to the curve, which has a point for every hundredth of the training, and return the loss."""
        self.chunk.append(loss)
        if self.step * 100 // self.recipe.steps > (self.step - 1) * 100 // self.recipe.steps:
            self.losses.append(round(sum(self.chunk) / len(self.chunk), 4))
            self.chunk.clear()
            log.info("%3.0f %%  step %d  loss %.4f", 100 * self.progress, self.step, self.losses[-1])
        return loss

    def paint(self, x: Tensor) -> Tensor:
        """Return the paintings of pictures, both (B, 3, H, W) in 0..1.

        While it learns, the network itself takes and gives -1..1, see
        :func:`framebrush_scorer.training.export.export`.
        """
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            y: Tensor = self.net((x * 2 - 1).contiguous(memory_format=torch.channels_last))
        return y.float() / 2 + 0.5

    def freeze(self, rng: np.random.Generator) -> None:
        """Fix the statistics of batch normalisation. From here on the network is trained as it will be used."""
        update_bn((self.supply.draw(rng, self.recipe.batch, self.step)[0] * 2 - 1 for _ in range(40)), self.net)
        self.net.eval()
        self.average.n_averaged.zero_()  # start anew from the network with these statistics
        self.frozen = True
        log.info("statistics fixed at step %d", self.step)

    def save(self) -> None:
        """Write the checkpoint, the weights, the card and the preview. The checkpoint on disk is whole at any time."""
        state = {
            "of": self.identity(),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "progress": {"step": self.step, "elapsed": self.elapsed, "frozen": self.frozen},
            "losses": {"losses": self.losses, "chunk": self.chunk},
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)
        net = export(cast(TransformerNet, self.average.module))
        self.out.write_bytes(save(compress(net)))
        self.out.with_suffix(".json").write_text(self.card().model_dump_json(indent=2) + "\n")
        preview(net, self.teacher, self.keep or self.content.samples(4), self.out.with_suffix(".png"))

    def restore(self) -> None:
        """Go on from the checkpoint.

        Raises:
            ValueError: The checkpoint is of another recipe or teacher.
        """
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if state["of"] != self.identity():
            raise ValueError(
                f"{self.checkpoint} is of another training, {state['of']}; "
                "give the same options to go on with it, or delete it to start anew"
            )
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.elapsed, self.frozen = (state["progress"][key] for key in ("step", "elapsed", "frozen"))
        self.losses, self.chunk = state["losses"]["losses"], state["losses"]["chunk"]
        self.net.train(not self.frozen)
        log.info("resumed %s at step %d", self.checkpoint, self.step)

    def identity(self) -> dict[str, Any]:
        """Return what must not change when a training goes on: the teacher and the recipe."""
        return self.teacher.facts | asdict(self.recipe)

    def card(self) -> Card:
        """Return the card of the network as it is now."""
        recipe = self.recipe
        return Card(
            title=self.title,
            licence="MIT",
            width=recipe.width,
            blocks=recipe.blocks,
            norm="batch",
            natural_edge=recipe.natural_edge,
            strokes=self.teacher.strokes,
            training={
                **self.identity(),
                **self.origin,
                "steps": self.step,
                "seconds": round(self.elapsed),
                "frames": len(self.content.frames),
                "losses": thin(self.losses),
            },
        )


def average_weights(averages: Tensors, now: Tensors, count: Tensor | int) -> None:
    """Bring moving averages of weights forward: over about the last 500 steps, or half of the steps if that is less.

    Args:
        averages: The averages before this step, which are changed in place.
        now: The weights after this step, of the same shapes.
        count: The number of steps in the averages.

    """
    torch._foreach_lerp_(averages, now, max(0.002, 2 / (int(count) + 2)))


def thin(values: list[float], count: int = 20) -> list[float]:
    """Return at most ``count`` of the values, evenly spread, the last included."""
    picks = np.linspace(0, len(values) - 1, min(count, len(values))).round().astype(int)
    return [values[k] for k in picks]
