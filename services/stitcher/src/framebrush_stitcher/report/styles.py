"""What the styles of a run are, with their pictures."""

import base64
import logging
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from pydantic import BaseModel

from framebrush.contracts import PICTURE, BlobRef, Manifest
from framebrush.media import encode_jpeg
from framebrush.sandbox import Allowance, Sandbox, SandboxedFile
from framebrush.storage import BlobReader, Store
from framebrush.styles import Library, shipped_preview

log = logging.getLogger(__name__)

SIDE = 160
"""The longer side of a picture in the page, in pixels."""
SECONDS = 10.0
"""The time for one picture."""


class Thumbnail(BaseModel):
    """A picture of a style."""

    caption: str
    image: str
    """JPEG in Base64."""


class ShownStyle(BaseModel):
    """A style of a run."""

    model: str
    title: str = ""
    """One line that tells a person what it is; empty if nobody has said."""
    pictures: list[Thumbnail] = []
    problem: str = ""
    """Why a picture is missing, in a line for a person."""


class Styles:
    """The styles of an installation."""

    def __init__(self, store: Store, container: str, sandbox: Sandbox) -> None:
        """Set where the styles are. Nothing is read yet."""
        self._store, self._container, self._sandbox = store, container, sandbox
        self._library = Library(store, container)

    def of(self, manifest: Manifest) -> list[ShownStyle]:
        """Return the styles of a run, in the order of its outputs. What cannot be found out is left out."""
        found = list[ShownStyle]()
        for rendition in manifest.renditions:
            shown = ShownStyle(model=rendition.model)
            try:
                self._describe(shown, manifest)
            except Exception as error:
                log.warning("the report lacks a picture of the style %s", rendition.model, exc_info=True)
                shown.problem = f"there is no picture of the style {rendition.model}: {error}"
            found.append(shown)
        return found

    def _describe(self, shown: ShownStyle, manifest: Manifest) -> None:
        if shown.model == PICTURE and manifest.style:
            shown.title = f"painted like {' and '.join(str(image) for image in manifest.options.style_images)}"
            for picture in manifest.style.pictures:
                ref = BlobRef(container=self._container, name=picture.name)
                size = max(picture.width, picture.height)
                shown.pictures.append(self._thumbnail(picture.name, ref, picture.etag, size))
        elif shown.model in manifest.styles:
            style, digest = self._library.find(shown.model), manifest.styles[shown.model].digest
            if style is None or style.digest != digest:  # The name stands for another style by now.
                return
            shown.title = style.title
            if style.preview:
                ref = self._library.preview_ref(digest)
                shown.pictures.append(self._thumbnail(f"preview of {shown.model}", ref, self._store.stat(ref).etag, 0))
        else:
            if preview := shipped_preview(shown.model):
                shown.pictures.append(_picture(f"preview of {shown.model}", preview))
            if catalogue := self._library.catalogue():
                shown.title = catalogue.titles.get(shown.model, "")

    def _thumbnail(self, caption: str, ref: BlobRef, etag: str, size: int) -> Thumbnail:
        """Return a small picture of a caller's file, made in the sandbox; ``size`` is its longer side, 0 if unknown."""
        allowance = Allowance(SECONDS, "REPORT_PAGE", "a picture for the report")
        reader = BlobReader(self._store, ref, self._store.stat(ref).size, etag)
        (data,) = self._sandbox.run(allowance, reader, shrink, size)
        return _picture(caption, data)


def _picture(caption: str, data: bytes | memoryview) -> Thumbnail:
    return Thumbnail(caption=caption, image=base64.b64encode(data).decode())


def shrink(source: SandboxedFile, size: int) -> Iterator[bytes]:
    """Yield a picture as a small, upright JPEG file, once. This is a sandbox's task.

    Args:
        source: A JPEG, PNG or WebP file.
        size: The longer side in pixels, 0 if that is not known.

    Raises:
        ValueError: The file is no picture.
    """
    part = next((part for part in (8, 4, 2) if size >= part * SIDE), 1)
    flags = getattr(cv2, f"IMREAD_REDUCED_COLOR_{part}") if part > 1 else cv2.IMREAD_COLOR
    image: Any = cv2.imdecode(np.frombuffer(source.read(), np.uint8), flags)
    if image is None:
        raise ValueError(f"{source.name} is no picture")
    scale = min(1.0, SIDE / max(image.shape[:2]))
    small = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    yield encode_jpeg(cv2.resize(image, small, interpolation=cv2.INTER_AREA), 80)
