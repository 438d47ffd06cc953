"""What the scorer refuses for good: a model nobody has, a weights file nobody should load."""

from typing import ClassVar

from framebrush.errors import PermanentError


class UnknownModel(PermanentError):
    """No model of this name is built in, installed, shipped or in the styles folder."""

    reason: ClassVar[str] = "unknown_model"


class InvalidWeights(PermanentError):
    """The weights file cannot be read, holds more than plain tensors, or is not a TransformerNet."""

    reason: ClassVar[str] = "invalid_weights"
