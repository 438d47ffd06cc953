"""Errors about styles. They are permanent, so a message that meets one is dead-lettered with its reason."""

from typing import ClassVar

from framebrush.errors import PermanentError


class UnknownModel(PermanentError):
    """No model of the requested name is built in, installed, shipped, in the library, or in the folder of styles."""

    reason: ClassVar[str] = "unknown_model"


class InvalidWeights(PermanentError):
    """A weights file cannot be read, holds something other than tensors, or does not fit a TransformerNet."""

    reason: ClassVar[str] = "invalid_weights"
