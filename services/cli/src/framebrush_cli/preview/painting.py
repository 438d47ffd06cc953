"""Paints stills in the styles of a run, with the very models and controls of the scorer."""

import time
from collections.abc import Sequence

import numpy as np

from framebrush.contracts import BlobRef, Options
from framebrush.errors import InvalidVideo
from framebrush.pictures import InvalidPicture, blend, decode_square, predict, square_of
from framebrush.sandbox import Allowance, Sandbox
from framebrush.storage import BlobReader, MemoryStore, Store
from framebrush.styles import Library
from framebrush_cli.installation import NamedPicture, StudioSettings
from framebrush_cli.preview.frames import FRAME_TIME, RgbImage, Still
from framebrush_cli.preview.models import Models
from framebrush_cli.preview.painted import Painted
from framebrush_scorer.models import FrameModel
from framebrush_scorer.pipeline import Controlled, Controls
from framebrush_splitter.settings import Limits


class Studio:
    """The models of this computer, each loaded once."""

    def __init__(self, sandbox: Sandbox, library: Library | None = None) -> None:
        """Set where styles come from. None is loaded yet.

        Args:
            sandbox: Where films and style pictures are opened.
            library: The library of the installation, if there is one.
        """
        self.sandbox, self._sources = sandbox, Models(library)
        self._models = dict[tuple[str, tuple[float, ...] | str], FrameModel]()

    def picture_vector(
        self, pictures: Sequence[NamedPicture], store: Store | None, container: str
    ) -> tuple[float, ...]:
        """Return the style vector of pictures, by their weights; see :func:`framebrush.pictures.predict`.

        Args:
            pictures: At least one picture.
            store: Where those are that are blobs.
            container: The container of these.

        Raises:
            InvalidPicture: One of them is no picture, or it is damaged or too small.
            BlobNotFound: There is no such file and no such blob.
        """
        squares = [self._square(each, store or MemoryStore(), container) for each in pictures]
        return blend(predict(squares, StudioSettings().picture_networks), [each.image.weight for each in pictures])

    def _square(self, picture: NamedPicture, store: Store, container: str) -> RgbImage:
        ref = BlobRef(container=container, name=picture.image.name)
        if picture.content is not None:
            store = MemoryStore()
            store.write(ref, picture.content)
        info = store.stat(ref)
        allowance = Allowance(FRAME_TIME, "MAX_FRAME_TIME", "decoding a picture")
        source = BlobReader(store, ref, info.size, info.etag)
        try:
            (content,) = self.sandbox.run(allowance, source, decode_square, Limits().max_picture_pixels)
        except InvalidVideo as error:  # The process crashed; that is how it is said of a film.
            raise InvalidPicture(str(error)) from error
        return square_of(content)[1]

    def paint(
        self, name: str, stills: Sequence[Still], options: Options, vector: tuple[float, ...] | None = None
    ) -> Painted:
        """Return what a style makes of stills, as a run with these options would.

        Args:
            name: The style.
            stills: The frames.
            options: Of them strength, keep_colors, scale and strokes count.
            vector: The style vector, for the style ``picture``.

        Raises:
            UnknownModel: There is no such style.
            InvalidWeights: Its weights are damaged.
            NoPictureNetwork: Nothing can be painted like a picture here.
        """
        controls = Controls(options.strength, options.keep_colors, options.scale, options.strokes)
        model = Controlled(self._model(name, vector), controls)
        images, times = list[RgbImage](), list[float]()
        for still in stills:
            began = time.perf_counter()
            images.append(np.asarray(model(still.image[None])[0]))
            times.append(time.perf_counter() - began)
        counted = times[1:] or times
        return Painted(name, images, sum(counted) / len(counted))

    def _model(self, name: str, vector: tuple[float, ...] | None) -> FrameModel:
        key = (name, vector or self._sources.digest(name))
        if key not in self._models:
            self._models[key] = self._sources.like(vector) if vector else self._sources.named(name)
        return self._models[key]
