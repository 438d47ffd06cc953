"""VGG16 as torchvision has it, up to relu4_3. It judges styles that are learned from a picture."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models import VGG16_Weights
from torchvision.models.vgg import cfgs, make_layers

from framebrush.styles import InvalidWeights
from framebrush_scorer.networks import check_tensors, read_tensors

URL: str = VGG16_Weights.IMAGENET1K_V1.url
"""The address of torchvision's weights, which have 528 MB."""

MAX_BYTES = 2**30
"""The largest file that is read, in bytes: twice the size of torchvision's."""

LAYERS = {3: "relu1_2", 8: "relu2_2", 15: "relu3_3", 22: "relu4_3"}
"""The names of the layers that are looked at, by their place among ``features``."""


class Features(nn.Module):
    """Computes what VGG16 sees in pictures. Gradients pass through it, and its weights have none."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.features: nn.Sequential = make_layers(cfgs["D"], batch_norm=False)[: max(LAYERS) + 1]
        # Of ImageNet's pictures.
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Return the activations (B, C, h, w) of :data:`LAYERS` by name.

        Args:
            x: RGB pictures, float (B, 3, H, W) in 0..1, with H and W of at least 8.

        """
        x, found = (x - self.mean) / self.deviation, {}
        for place, layer in enumerate(self.features):
            x = layer(x)
            if place in LAYERS:
                # The next layers are convolutions and pools: none changes this one in place.
                found[LAYERS[place]] = x
        return found


def read_vgg(path: Path | None = None, url: str = URL) -> Features:
    """Return VGG16 with the weights of a file.

    Args:
        path: The file. By default it is in torch's cache, into which it is downloaded if it is not there.
        url: The address to download from.

    Raises:
        InvalidWeights: The file is not VGG16, or it cannot be downloaded; the message says where to put it.

    """
    path = download(url) if path is None else path
    net = Features()
    expected = net.state_dict()
    state = {key: value for key, value in read_tensors(path, MAX_BYTES).items() if key in expected}
    check_tensors(path, state, expected)
    net.load_state_dict(state)
    return net


def download(url: str) -> Path:
    """Return the path of a file in torch's cache, after downloading it if it is not there.

    Raises:
        InvalidWeights: It cannot be downloaded; the message says where to put it.

    """
    name = url.rsplit("/", 1)[1]
    place = Path(torch.hub.get_dir(), "checkpoints", name)
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            # torchvision's names end in the beginning of the file's SHA-256.
            torch.hub.download_url_to_file(url, str(place), Path(name).stem.rsplit("-", 1)[-1])
        except (OSError, RuntimeError) as error:
            raise InvalidWeights(
                f"VGG16's weights cannot be downloaded from {url} ({error}); "
                f"put that file at {place}, or name it with --vgg"
            ) from error
    return place
