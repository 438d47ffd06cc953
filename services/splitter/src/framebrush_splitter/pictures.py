"""Looks at the style pictures of a run."""

from collections.abc import Sequence

from framebrush.contracts import BlobRef, PictureStyle, StyleImage, StylePicture
from framebrush.errors import InvalidVideo
from framebrush.pictures import InvalidPicture, PictureSquare, blend, decode_square, predict, square_of
from framebrush.sandbox import Allowance, Sandbox
from framebrush.storage import Store
from framebrush_splitter.settings import SplitterSettings
from framebrush_splitter.video import read_input


class PictureLooker:
    """Looks at style pictures, once per run, before anything of its film is decoded."""

    def __init__(self, store: Store, settings: SplitterSettings, sandbox: Sandbox) -> None:
        self._store, self._settings, self._sandbox = store, settings, sandbox

    def ref(self, image: StyleImage) -> BlobRef:
        """Return the blob of a style picture."""
        return BlobRef(container=self._settings.styles_container, name=image.name)

    def __call__(self, images: Sequence[StyleImage]) -> PictureStyle | None:
        """Return what is painted like, or None without pictures.

        Raises:
            BlobNotFound: There is no such picture.
            InvalidPicture: A file is no picture, or it is damaged or too small.
            LimitExceeded: A picture has too many pixels, or takes too much memory or time.
            NoPictureNetwork: This installation has no network that paints like a picture.
        """
        if not images:
            return None
        found = [self._look(image) for image in images]
        vectors = predict([square for _, square in found], self._settings.picture_networks)
        pictures = tuple(picture for picture, _ in found)
        return PictureStyle(pictures=pictures, vector=blend(vectors, [picture.weight for picture in pictures]))

    def _look(self, image: StyleImage) -> tuple[StylePicture, PictureSquare]:
        ref, settings = self.ref(image), self._settings
        blob = self._store.stat(ref)
        allowance = Allowance(settings.max_frame_time, "MAX_FRAME_TIME", "decoding a picture")
        try:
            reader = read_input(self._store, ref, blob.size, blob.etag)
            (content,) = self._sandbox.run(allowance, reader, decode_square, settings.max_picture_pixels)
        except InvalidVideo as error:  # The blob is empty, or the process crashed: that is how both are said of a film.
            raise InvalidPicture(str(error)) from error
        (width, height), square = square_of(content)
        return StylePicture(name=image.name, weight=image.weight, etag=blob.etag, width=width, height=height), square
