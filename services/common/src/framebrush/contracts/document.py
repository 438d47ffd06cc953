"""The base of everything written as JSON: messages, manifest, status, report."""

from collections.abc import Callable
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from framebrush.errors import InvalidMessage

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
    """Frozen and strict: no unknown fields, no coercion."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", serialize_by_alias=True)


class Document(Model):
    """A versioned model with a JSON form."""

    version: Literal[1] = 1

    def encode(self) -> bytes:
        """JSON in UTF-8."""
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read what :meth:`encode` wrote.

        Raises:
            InvalidMessage: naming every field that is missing, unknown or malformed.
        """
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise InvalidMessage(f"{cls.__name__}: {explain(error)}") from None


def explain(error: ValidationError, name: Callable[[str], str] = str) -> str:
    """One line for a person: ``field: what is wrong`` for each finding, the first five; ``name`` spells the field."""
    findings = [
        f"{name('.'.join(map(str, found['loc'])))}: " * bool(found["loc"]) + found["msg"].removeprefix("Value error, ")
        for found in error.errors(include_url=False)
    ]
    more = f" (and {len(findings) - 5} more)" if len(findings) > 5 else ""
    return "; ".join(findings[:5]) + more


class BlobRef(Model):
    """A blob's place in the account."""

    container: ContainerName
    name: Annotated[str, Field(min_length=1, max_length=1024)]

    @field_validator("name")
    @classmethod
    def _stays_in_its_container(cls, name: str) -> str:
        if {".", ".."} & set(name.split("/")):  # which HTTP clients resolve before they send a request
            raise ValueError("no part of the name may be . or ..")
        return name

    def __str__(self) -> str:
        return f"{self.container}/{self.name}"


class FrameRange(Model):
    """``count`` frames from ``first``, both counted within a segment."""

    first: Index
    count: Count

    @property
    def stop(self) -> int:
        """One past the last frame."""
        return self.first + self.count
