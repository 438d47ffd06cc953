"""The models of this computer by name, with those of a library, and by file."""

from collections.abc import Sequence
from pathlib import Path

from framebrush.styles import Library
from framebrush_cli.installation import StudioSettings
from framebrush_scorer.models import FrameModel, WeightsCache, load, load_picture, load_weights


class Models:
    """Loads what paints. A style of the library comes before one of the same name that the scorer has."""

    def __init__(
        self,
        library: Library | None = None,
        styles: Path | None = None,
        device: str = "auto",
        memory: int | None = None,
    ) -> None:
        """Set where styles come from, and where they work. None is loaded yet.

        Args:
            library: The library of the installation, if there is one.
            styles: The folder of further styles; by default that of the settings.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            memory: Bytes that a pass may take; see :func:`framebrush_scorer.models.load`.
        """
        self._settings, self._place = StudioSettings(), (device, memory)
        self.library, self.styles = library, styles or self._settings.styles

    def digest(self, name: str) -> str:
        """Return what tells the style of a name from another one that has its name later; empty if nothing can."""
        found = self.library.find(name) if self.library else None
        return found.digest if found else ""

    def named(self, name: str) -> FrameModel:
        """Load the style of a name.

        Raises:
            UnknownModel: There is no such style.
            InvalidWeights: Its weights are damaged.
            ValueError: There is no such device.
        """
        found = self.library.find(name) if self.library else None
        if found and self.library:
            path = WeightsCache(self.library).file(found.digest)
            return load_weights(name, path, found.pinned, *self._place)
        return load(name, self.styles, *self._place)

    def of_weights(self, path: Path) -> FrameModel:
        """Load a file of weights, with the card beside it if there is one; the errors are those of :meth:`named`."""
        return load_weights(path.stem, path, None, *self._place)

    def like(self, vector: Sequence[float]) -> FrameModel:
        """Load the model that paints like a picture, by its style vector of 100 numbers.

        Raises:
            NoPictureNetwork: Nothing can be painted like a picture here.
            ValueError: There is no such device.
        """
        return load_picture(vector, self._settings.picture_networks, *self._place)
