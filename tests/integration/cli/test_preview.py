"""``framebrush preview`` with an installation: its films, and the styles of its library."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from support.video import make_video

from framebrush.contracts import BlobRef
from framebrush.service import Settings
from framebrush.storage import AzureBlobs
from framebrush_scorer.networks import TransformerNet

Command = Callable[..., subprocess.CompletedProcess[str]]


def test_a_film_in_blob_in_a_style_of_the_library(framebrush: Command, settings: Settings, tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4")
    source = BlobRef(container=settings.input_container, name="films/film.mp4")
    AzureBlobs(settings).write(source, film.read_bytes())
    torch.manual_seed(0)
    save_file(TransformerNet(4, 1, "batch").state_dict(), tmp_path / "mine.safetensors")
    framebrush("styles", "add", "mine.safetensors")

    told = json.loads(framebrush("preview", "films/film.mp4", "--style", "mine", "-o", "shown/", "--json").stdout)
    assert (told["frames"], list(told["seconds_per_frame"])) == (48, ["mine"])
    before, after = (np.asarray(Image.open(tmp_path / f"shown/{name}-1.png")) for name in ("original", "mine"))
    assert before.shape == after.shape and (before != after).any()
    error = framebrush("preview", "films/film.mp4", "--style", "mime", code=1).stderr
    assert "did you mean mine?" in error and len(error.splitlines()) == 1
    assert "no such blob in the container" in framebrush("preview", "films/none.mp4", code=1).stderr
