"""Pictures made of a film, with the names of those that it was made of."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
from PIL import Image

from framebrush_cli.errors import CommandFailed

OPTIONS: dict[str, dict[str, Any]] = {
    ".jpg": {"quality": 95, "subsampling": "4:4:4"},
    ".jpeg": {"quality": 95, "subsampling": "4:4:4"},
    ".webp": {"quality": 95},
    ".tif": {"compression": "tiff_deflate"},
    ".tiff": {"compression": "tiff_deflate"},
}
"""How a picture is written, by the extension of its name. PNG and TIFF lose nothing."""


def write_pictures(film: Path, targets: Sequence[Path]) -> None:
    """Write each frame of a film without loss as a picture.

    Args:
        film: The film.
        targets: A file for each frame. Its extension tells the format.

    Raises:
        CommandFailed: A file cannot be written.
    """
    with av.open(str(film)) as container:
        for target, frame in zip(targets, container.decode(video=0), strict=True):
            picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                picture.save(target, **OPTIONS.get(target.suffix.lower(), {}))
            except OSError as error:
                raise CommandFailed(f"{target} cannot be written: {error.strerror or error}") from None
