"""The base of everything written as JSON: messages, manifest, status, report."""

import unicodedata
from collections.abc import Callable
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from framebrush.errors import InvalidMessage

UnknownFields = Literal["ignore", "forbid"]
RUN_ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
RunId = Annotated[str, Field(pattern=RUN_ID_PATTERN)]
ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
ContainerName = Annotated[str, Field(pattern=r"^[a-z0-9](-?[a-z0-9]){2,62}$", max_length=63)]
Index = Annotated[int, Field(ge=0, lt=2**31)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
Generation = Annotated[
    int, Field(ge=0, lt=2**31, validation_alias=AliasChoices("round", "generation"), serialization_alias="round")
]
"""How often a run was reopened after it failed. In version 1 of the documents the field is called ``round``."""


class Model(BaseModel):
    """A part of a document. It is frozen, and nothing is coerced: a number in quotes is not a number.

    Unknown fields are refused when a model is made in Python. When a document is read, the document decides for all
    models in it, see :class:`Document`.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", serialize_by_alias=True)


class Document(Model):
    """A versioned model with a JSON form.

    Services of two releases work side by side while one replaces the other. Therefore the reader of an internal
    document ignores the fields that it does not know, at any depth: a later release has added them. A field that an
    older reader must not ignore needs a new version, which older readers refuse.
    """

    version: Literal[1] = 1

    unknown_fields: ClassVar[UnknownFields] = "ignore"
    """What becomes of fields that the reader does not know. Requests from outside set ``forbid``: there, an unknown
    field is a mistake of the person who wrote it."""

    def encode(self) -> bytes:
        """Return the document as JSON in UTF-8."""
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read what :meth:`encode` wrote, in this release or in another one.

        Raises:
            InvalidMessage: The version is unknown, a field is missing or malformed, or a field is unknown and
                :attr:`unknown_fields` forbids that. The text names every such field.
        """
        try:
            return cls.model_validate_json(body, extra=cls.unknown_fields)
        except ValidationError as error:
            raise InvalidMessage(f"{cls.__name__}: {explain(error)}") from None


def explain(error: ValidationError, name: Callable[[str], str] = str) -> str:
    """Return one line for a person: ``field: what is wrong`` for each of the first five findings.

    ``name`` turns the path of a field, with dots, into the field's name in the text.
    """
    findings = [
        f"{name('.'.join(map(str, found['loc'])))}: " * bool(found["loc"])
        + found["msg"].removeprefix("Value error, ")
        + _instead(found)
        for found in error.errors(include_url=False)
    ]
    more = f" (and {len(findings) - 5} more)" if len(findings) > 5 else ""
    return "; ".join(findings[:5]) + more


def _instead(found: ErrorDetails) -> str:
    """Return the value that was found where only some values are possible: it may be one of a later release."""
    return f", got {found['input']!r:.64}" if found["type"] in ("literal_error", "enum") else ""


def _stays_in_its_container(name: str) -> str:
    if {".", ".."} & set(name.split("/")):  # HTTP clients resolve these before they send a request
        raise ValueError("no part of the name may be . or ..")
    return name


BlobName: TypeAlias = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_stays_in_its_container)]
"""The name of a blob in its container."""


UNWRITABLE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of characters that end a line or a header somewhere, or have no form in UTF-8."""


def check_name(name: str) -> str:
    """Return the name of a blob that a caller chose, if it means the same to every layer that it goes through.

    Raises:
        ValueError: Something on the way would take the name for another one: HTTP clients, proxies, Azure, tools that
            copy blobs to files.
    """
    parts = name.split("/")
    if "" in parts or any(part.endswith(".") for part in parts):
        raise ValueError("no part of the name may be empty or end in a dot")
    if "\\" in name or any(unicodedata.category(each) in UNWRITABLE or each in "\ufffe\uffff" for each in name):
        raise ValueError("the name may have no backslashes and no control characters")
    return name


class BlobRef(Model):
    """The place of a blob in the storage account: its container and its name."""

    container: ContainerName
    name: BlobName

    def __str__(self) -> str:
        return f"{self.container}/{self.name}"


class FrameRange(Model):
    """A range of ``count`` frames from frame ``first``. Frames are counted within their segment, from 0."""

    first: Index
    count: Count

    @property
    def stop(self) -> int:
        """Return the number of the frame after the last one."""
        return self.first + self.count

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.stop >= 2**31:
            raise ValueError("frames end before number 2147483648")
        return self


MOST_FRAMES = 64
"""The largest number of frames in a pack."""


def _few(frames: FrameRange) -> FrameRange:
    if frames.count > MOST_FRAMES:
        raise ValueError(f"count: {frames.count} frames, more than the {MOST_FRAMES} of a pack")
    return frames


PackRange: TypeAlias = Annotated[FrameRange, AfterValidator(_few)]
"""The frames of a pack, or of a part of it."""
