"""Style pictures that the command line names: files of this machine, or blobs."""

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from framebrush.contracts import BlobRef, StyleImage, explain
from framebrush.errors import BlobNotFound, Conflict
from framebrush.pictures import looks_like_a_picture
from framebrush.storage import BlobInfo, Store
from framebrush_cli.errors import CommandFailed

MOST_BYTES = 500 * 10**6
"""The largest file that is taken for a picture, in bytes."""


@dataclass(frozen=True)
class NamedPicture:
    """A style picture as the command line names it, ``PICTURE`` or ``PICTURE=WEIGHT``."""

    image: StyleImage
    """The picture as a run names it. That of a file has the hash of its content in its name."""
    content: bytes | None
    """The content of a file; None if the picture is a blob."""

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a picture if it is a file; nothing is uploaded yet.

        Raises:
            CommandFailed: The name or the weight is malformed, or the file cannot be read or is no picture.
        """
        path, weight = _with_weight(text)
        try:
            if not path.is_file():
                return cls(StyleImage.parse(text), None)
            if path.stat().st_size > MOST_BYTES:
                raise CommandFailed(f"{path} is too large for a picture: more than {MOST_BYTES // 10**6} MB")
            content = path.read_bytes()
            if not looks_like_a_picture(content):
                raise CommandFailed(f"{path} is no picture: a JPEG, PNG or WebP file is needed")
            digest = hashlib.sha256(content).hexdigest()
            image = StyleImage(name=f"{path.stem[:200]}-{digest[:16]}{path.suffix.lower()}")
            return cls(StyleImage(name=image.name, weight=weight), content)
        except ValidationError as error:
            raise CommandFailed(f"--style-image {text}: {explain(error)}") from None
        except OSError as error:
            raise CommandFailed(f"{path} cannot be read: {error.strerror}") from None

    def find(self, store: Store, container: str) -> BlobInfo:
        """Return the picture's blob, which is written if it is a file and not there yet.

        Raises:
            CommandFailed: There is no such blob.
        """
        ref = BlobRef(container=container, name=self.image.name)
        if self.content is not None:
            with suppress(Conflict):  # It is there already, with the same content.
                store.write(ref, self.content, if_absent=True)
        try:
            return store.stat(ref)
        except BlobNotFound:
            raise CommandFailed(
                f"{ref.name}: no such file here, and no such blob in the container {container!r}"
            ) from None


def _with_weight(text: str) -> tuple[Path, float]:
    """Return the file of a text ``PICTURE`` or ``PICTURE=WEIGHT``, and its weight. The file need not exist.

    Raises:
        CommandFailed: What stands behind the name of a file is no number.
    """
    ends = [place for place, sign in enumerate(text) if sign == "=" and Path(text[:place]).is_file()]
    if Path(text).is_file() or not ends:  # a name may have an equals sign, too
        return Path(text), 1.0
    name, weight = text[: ends[-1]], text[ends[-1] + 1 :]
    try:
        return Path(name), float(weight)
    except ValueError:
        raise CommandFailed(
            f"--style-image {text}: {weight!r} is no weight, which is a number above 0, as in {name}=0.5"
        ) from None
