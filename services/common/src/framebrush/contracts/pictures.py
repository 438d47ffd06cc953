"""Style pictures: how a request names them, and what a manifest says of them."""

import re
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field

from framebrush.contracts.document import BlobName, Count, Model

PICTURE = "picture"
"""The model that paints a run's frames like its style pictures."""

MOST_PICTURES = 8
"""The most style pictures of one run."""

Weight = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]


class StyleImage(Model):
    """A style picture of a run: a blob in the container of styles."""

    name: BlobName
    weight: Weight = 1.0
    """The part of the picture in the style, relative to the other pictures of the run."""

    def __str__(self) -> str:
        return self.name if self.weight == 1 else f"{self.name}={self.weight:g}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the picture of a text ``NAME`` or ``NAME=WEIGHT``.

        Raises:
            ValueError: The name or the weight is malformed.
        """
        match = re.fullmatch(r"(.+)=(-?\d*\.?\d+)", text)  # a name may have an equals sign, too
        return cls(name=match[1], weight=float(match[2])) if match else cls(name=text)

    @classmethod
    def parse_list(cls, text: str) -> tuple[Self, ...]:
        """Return the pictures of a text that names them with commas between them, as the metadata of a blob does.

        Raises:
            ValueError: A name or a weight is malformed.
        """
        return tuple(cls.parse(part.strip()) for part in text.split(","))


class StylePicture(Model):
    """A style picture, pinned to the content that was looked at."""

    name: BlobName
    weight: Weight
    etag: str
    width: Count
    height: Count
    """The size in pixels as people see the picture."""


class PictureStyle(Model):
    """What is painted like: the style pictures of a run, and the style vector that was computed from them once."""

    pictures: Annotated[tuple[StylePicture, ...], Field(min_length=1, max_length=MOST_PICTURES)]
    vector: Annotated[tuple[float, ...], Field(min_length=100, max_length=100)]
    """The style vector of Ghiasi et al. 2017, the weighted mean of those of the pictures."""


def check_pictures(models: Sequence[str | None], pictures: Sequence[StyleImage]) -> None:
    """Check that a run that has style pictures has the model that paints like them, and the other way round.

    Raises:
        ValueError: It has one of both without the other, or a picture twice.
    """
    if PICTURE in models and not pictures:
        raise ValueError(f"the model {PICTURE} needs style_images")
    if pictures and PICTURE not in models and any(models):
        raise ValueError(f"style_images are painted by the model {PICTURE}: leave model out, or name that one")
    if len({picture.name for picture in pictures}) < len(pictures):
        raise ValueError("style_images: a picture is named twice")
