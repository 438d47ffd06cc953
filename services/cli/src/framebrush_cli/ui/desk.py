"""What the page does, by the functions of the commands. Each call may take seconds, and comes from a thread."""

import io
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from framebrush.contracts import PICTURE, BlobRef, Options, State
from framebrush_cli.commands.dlq import facts
from framebrush_cli.commands.preview import library_of, make_preview, new_studio, open_film
from framebrush_cli.commands.price import estimate
from framebrush_cli.commands.request import run_options, start
from framebrush_cli.commands.runs import end_run
from framebrush_cli.commands.styled import styled_so_far
from framebrush_cli.commands.styles import all_styles
from framebrush_cli.errors import CommandFailed
from framebrush_cli.installation import Connection, NamedPicture, Selection, find, peek, replay
from framebrush_cli.preview import Film, Preview, Still, Studio, read_stills, upright
from framebrush_cli.ui.board import Board
from framebrush_cli.ui.drops import Drops

UNCHANGED = "identity"
"""The model that paints nothing, which is there for tests."""
SMALL = 320
"""The longer side of the film's frame on the tile of a style, in pixels."""


class Desk:
    """Everything behind the page."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self.connection, self._painting = connection, threading.Lock()
        self.drops = Drops(folder)
        self.board = Board(connection, self.drops.transfers)
        self._tile = lru_cache(maxsize=256)(self._paint_tile)
        self._opened = lru_cache(maxsize=16)(self._open)

    def close(self) -> None:
        """End what works in the background."""
        self.drops.close()
        self.board.close()

    @cached_property
    def _studio(self) -> Studio:
        return new_studio(library_of(self.connection))

    def styles(self) -> list[dict[str, str]]:
        """Return the names and the titles of all styles that one may choose."""
        found = all_styles(self.connection).items()
        return [
            {"name": name, "title": title} for name, (_, title) in sorted(found) if name not in (UNCHANGED, PICTURE)
        ]

    def make_film(self, asked: Mapping[str, Any]) -> dict[str, str]:
        """Make a film of a folder of pictures that was dropped, or of an address on the web; return its key."""
        folder, address, rate = (str(asked.get(name) or "") or None for name in ("folder", "address", "rate"))
        return {"key": self.drops.add_film(folder, address, rate, str(asked.get("ticket") or "")[:100]).key}

    def film(self, key: str) -> dict[str, Any]:
        """Return what is known of a film that was dropped.

        Raises:
            CommandFailed: It is gone.
            PermanentError: It cannot be styled; the text says why.
        """
        film, _ = self._opened(key)
        video = film.video
        return {"name": self.drops.find(key).path.name, "frames": film.frames, "seconds": film.seconds} | {
            "width": video.width,
            "height": video.height,
        }

    def tile(self, key: str, style: str | None, picture: str | None) -> bytes:
        """Return a frame of a film as a small JPEG file: as it is, in a style, or like a picture that was dropped."""
        return self._tile(key, style, picture)

    def preview(self, asked: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Paint some frames of a film in the chosen styles, as a run would.

        Returns:
            What a run will cost, and the sheet as a PNG file.
        """
        path, options, pictures = self._asked(asked)
        with self._painting:
            made = make_preview(self._studio, self.connection, str(path), options, pictures)
        price = estimate(self.connection, options.models, made.film, made.speeds)
        return {"price": str(price) if price else None} | made.facts(), _file(made.sheet(), "PNG")

    def price(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a run will cost by what earlier runs took; None if nothing is known."""
        _, options, _ = self._asked(asked)
        price = estimate(self.connection, options.models, self._opened(str(asked["film"]))[0])
        return {"price": str(price) if price else None}

    def start(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Start a run; see :func:`framebrush_cli.commands.request.start`."""
        path, options, pictures = self._asked(asked)
        self._opened(str(asked["film"]))  # What cannot be styled is refused before it is uploaded.
        styles = [name for name in options.models if name != PICTURE]
        request, created = start(self.connection, str(path), styles, pictures, _given(asked))
        self.board.look_now()
        return {"id": request.run_id, "created": created}

    def cancel(self, run_id: str) -> None:
        """End a run."""
        end_run(self.connection, run_id)
        self.board.look_now()

    def styled(self, run_id: str) -> bytes:
        """Return what a run has styled so far as a PNG file; see :func:`styled_so_far`."""
        made: Preview = styled_so_far(self.connection.runs, run_id)
        return _file(made.sheet(), "PNG")

    def output(self, run_id: str, number: int) -> BlobRef:
        """Return an output of a run.

        Raises:
            CommandFailed: There is none of this number.
        """
        status = self.connection.runs.status(run_id)
        if status.state is not State.SUCCEEDED or number >= len(status.outputs):
            raise CommandFailed(f"{run_id} has no such output")
        return status.outputs[number]

    def dead_letters(self) -> list[dict[str, object]]:
        """Return the dead letters as ``framebrush dlq list --json`` does."""
        return [facts(letter) for letter in peek(self.connection.settings, Selection())]

    def replay(self, run_id: str | None) -> int:
        """Send dead letters again, those of a run or all; return how many."""
        settings = self.connection.settings
        found = find(settings, Selection(run_id=run_id))
        with closing(replay(settings, self.connection.runs, found)) as letters:
            count = sum(1 for _ in letters)
        self.board.look_now()
        if not count:
            raise CommandFailed("no dead letter was sent again: they are gone, or somebody else holds them")
        return count

    def _open(self, key: str) -> tuple[Film, Sequence[Still]]:
        with self._painting, open_film(self.connection, str(self.drops.find(key).path)) as source:
            return read_stills(self._studio.sandbox, source)

    def _asked(self, asked: Mapping[str, Any]) -> tuple[Path, Options, list[NamedPicture]]:
        path = self.drops.find(str(asked.get("film"))).path
        picture = asked.get("picture")
        pictures = [NamedPicture.read(str(self.drops.find(str(picture)).path))] if picture else []
        names = [str(name) for name in _items(asked.get("styles"))]
        default = self.connection.settings.default_model
        return path, run_options(names, pictures, _given(asked), default=default), pictures

    def _paint_tile(self, key: str, style: str | None, picture: str | None) -> bytes:
        film, stills = self._opened(key)
        middle = stills[len(stills) // 2]
        small = Image.fromarray(middle.image)
        small.thumbnail((SMALL, SMALL), Image.Resampling.LANCZOS)
        still = Still(middle.seconds, np.array(small))
        if style is None and picture is None:
            return _file(upright(still.image, film.video), "JPEG")
        with self._painting:
            pictures = [NamedPicture.read(str(self.drops.find(picture).path))] if picture else []
            vector = self._studio.picture_vector(pictures, None, "styles") if pictures else None
            options = run_options([style] if style else [], pictures, {}, default=UNCHANGED)
            painted = self._studio.paint(options.models[0], [still], options, vector)
        return _file(upright(painted.images[0], film.video), "JPEG")


def _items(value: object) -> Iterable[object]:
    if not isinstance(value, list | None):
        raise CommandFailed("styles: expected a list of names")
    return value or []


def _given(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a run that the page has."""
    return {name: asked.get(name) for name in ("strength", "keep_colors", "scale")}


def _file(picture: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind)
    return buffer.getvalue()
