"""Reads trained networks from files that nobody vouches for: only plain tensors, which are checked before use."""

import json
import pickle
import re
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from framebrush.errors import first_line
from framebrush.styles import InvalidWeights
from framebrush_scorer.networks.transformer import Norm, TransformerNet

MAX_BYTES = 256 * 2**20
"""The largest file that is read, in bytes: thirty times the original network."""

# Written by PyTorch before 0.4, where InstanceNorm2d kept statistics that it never used.
UNUSED_STATISTICS = re.compile(r"\bin\d+\.(running_mean|running_var|num_batches_tracked)$")


class Card(BaseModel):
    """What is known about a weights file. It lies beside the file, under the same name, as JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    """One line that tells a person what the style is."""
    licence: str
    """The licence of the weights, as an SPDX expression; ``NOASSERTION`` if nobody has said."""
    width: int
    """The number of channels of the first convolution."""
    blocks: int
    """The number of residual blocks."""
    norm: Norm
    values: Literal["0..255"] = "0..255"
    """The range of the RGB values that the network takes and gives."""
    natural_edge: int | None = Field(default=None, ge=8)
    """The shorter edge in pixels of the frames for which the strokes are made; None if they have no natural size."""
    strokes: bool = False
    """Whether its paintings are laid in strokes that follow the shapes of the frame."""
    training: dict[str, str | int | float | list[float]] = {}
    """How the network was trained: teacher, recipe, content, steps, seconds, and the course of the loss."""


def read_network(path: Path) -> TransformerNet:
    """Read a network from ``.safetensors`` or a PyTorch ``.pth`` state dict, in float32, in evaluation mode.

    The layout is inferred from the tensors. Code inside a pickle is never run. A card beside the file must agree with
    the tensors.

    Raises:
        InvalidWeights: The file cannot be read or does not fit a TransformerNet, or the card is wrong.

    """
    state = {key: value for key, value in read_tensors(path).items() if not UNUSED_STATISTICS.search(key)}
    width, blocks, norm = infer_layout(path, state)
    with torch.device("meta"):
        net = TransformerNet(width, blocks, norm)
    check_tensors(path, state, net.state_dict())
    net.load_state_dict({key: convert(value) for key, value in state.items()}, assign=True)
    card = read_card(path)
    if card is not None and (card.width, card.blocks, card.norm) != (width, blocks, norm):
        raise InvalidWeights(
            f"{path.name} has width {width}, {blocks} blocks and {norm} norm, but its card {path.stem}.json says "
            f"{card.width}, {card.blocks} and {card.norm}; correct the card or remove it"
        )
    return net.eval()


def pack_network(path: Path, title: str) -> tuple[bytes, Card]:
    """Return the weights of a file as the content of a ``.safetensors`` file, and their card.

    Args:
        path: The file, as :func:`read_network` takes it.
        title: The title of the card if there is none beside the file.

    Raises:
        InvalidWeights: The file cannot be read or does not fit a TransformerNet, or the card is wrong.

    """
    net = read_network(path)
    card = read_card(path)
    if card is None:
        card = Card(title=title, licence="NOASSERTION", width=net.width, blocks=net.blocks, norm=net.norm)
    return (path.read_bytes() if path.suffix == ".safetensors" else save(net.state_dict())), card


def convert(value: Tensor) -> Tensor:
    """Return a floating-point tensor in float32, and any other tensor, such as a counter, as it is."""
    return value.float() if value.is_floating_point() else value


def read_tensors(path: Path, most: int = MAX_BYTES) -> dict[str, Tensor]:
    """Return the tensors of a file of at most ``most`` bytes, by name.

    Raises:
        InvalidWeights: There is no such file, or it is too large, damaged, or holds anything but named tensors.

    """
    try:
        if (size := path.stat().st_size) > most:
            raise InvalidWeights(f"{path.name} has {size} bytes, more than {most}: not such a network")
        if path.suffix == ".safetensors":
            content: object = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InvalidWeights(
            f"{path.name} holds Python objects other than tensors; save net.state_dict() instead, or use safetensors"
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, IndexError, TypeError, SafetensorError) as error:
        raise InvalidWeights(f"{path.name} cannot be read as {path.suffix} weights: {first_line(error)}") from error
    if not isinstance(content, dict) or not content:
        raise InvalidWeights(f"{path.name} holds {type(content).__name__}, not a state dict of tensors")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise InvalidWeights(f"{path.name} has an entry {key!r} that is no tensor; save net.state_dict() instead")
    return content


def infer_layout(path: Path, state: dict[str, Tensor]) -> tuple[int, int, Norm]:
    """Return the width, the number of residual blocks and the normalisation of the network of these tensors.

    Raises:
        InvalidWeights: The first convolution is missing or has another shape than (width, 3, 9, 9).

    """
    first = state.get("conv1.conv2d.weight")
    if first is None or first.ndim != 4 or not 1 <= first.shape[0] <= 256:
        found = "is missing" if first is None else f"has shape {tuple(first.shape)}"
        raise InvalidWeights(f"{path.name}: conv1.conv2d.weight {found}; expected (width, 3, 9, 9) with width <= 256")
    blocks = len({key.split(".")[0] for key in state if re.match(r"res\d+\.", key)})
    return first.shape[0], blocks, "batch" if "bn1.weight" in state else "instance"


def check_tensors(path: Path, state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Check that tensors fit a network.

    Args:
        path: The file of the tensors, for the message.
        state: The tensors by name.
        expected: Tensors with the names, shapes and types that the network has.

    Raises:
        InvalidWeights: A name is missing or unknown, a shape or type differs, or a value is not finite.

    """
    if missing := sorted(expected.keys() - state.keys()):
        raise InvalidWeights(f"{path.name} lacks {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}")
    if extra := sorted(state.keys() - expected.keys()):
        raise InvalidWeights(f"{path.name} has unknown {', '.join(extra[:3])}{' ...' if len(extra) > 3 else ''}")
    for key, value in state.items():
        if value.shape != expected[key].shape:
            raise InvalidWeights(
                f"{path.name}: {key} has shape {tuple(value.shape)}, expected {tuple(expected[key].shape)}"
            )
        if value.is_floating_point() != expected[key].is_floating_point():
            raise InvalidWeights(f"{path.name}: {key} has type {value.dtype}, expected {expected[key].dtype}")
        if not torch.isfinite(value).all():
            raise InvalidWeights(f"{path.name}: {key} holds values that are not finite")
        if key.endswith("running_var") and (value < 0).any():
            raise InvalidWeights(f"{path.name}: {key} holds negative variances")


def read_card(weights: Path) -> Card | None:
    """Return the card beside a weights file, or None if there is none.

    Raises:
        InvalidWeights: The card is not JSON, or fields are wrong, which the message names.

    """
    path = weights.with_suffix(".json")
    if not path.is_file():
        return None
    try:
        return Card.model_validate(json.loads(path.read_bytes()))
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) + f": {e['msg']}" for e in error.errors())
        raise InvalidWeights(f"{path.name} is not a valid card: {fields}") from error
    except (OSError, ValueError) as error:
        raise InvalidWeights(f"{path.name} is not a valid card: {first_line(error)}") from error
