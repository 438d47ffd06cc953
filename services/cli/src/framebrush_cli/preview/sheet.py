"""Draws the contact sheet of a preview: a row for the film and for each style, a column for each frame."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from framebrush.contracts import VideoProperties
from framebrush.media import quarter_turns
from framebrush.units import duration
from framebrush_cli.preview.frames import RgbImage, Still
from framebrush_cli.preview.painted import Painted

CELL, GAP, MARGIN = 480, 8, 24
"""The longer side of a cell, the space between cells, and the space around all, in pixels."""
TEXT, SMALL = 22, 17
"""The sizes of the letters of a row's and of a column's name, in pixels."""
PAPER, INK, GREY = "#ffffff", "#1b1b1f", "#5a5a66"
ORIGINAL = "original"


def upright(image: RgbImage, video: VideoProperties) -> Image.Image:
    """Return a frame as players show it: turned, and stretched by its aspect ratio."""
    picture = Image.fromarray(image)
    ratio = Fraction(*video.sample_aspect_ratio) if video.sample_aspect_ratio else Fraction(1)
    if ratio > 0 and ratio != 1:
        picture = picture.resize((max(1, round(picture.width * ratio)), picture.height), Image.Resampling.LANCZOS)
    turns = quarter_turns(video.rotation)
    return Image.fromarray(np.rot90(np.asarray(picture), turns)) if turns else picture


def picture_files(
    video: VideoProperties, stills: Sequence[Still], painted: Sequence[Painted]
) -> Mapping[str, Image.Image]:
    """Return all pictures at their full size, by the names of their files: ``starry-2.png``."""
    rows = {ORIGINAL: [still.image for still in stills]} | {each.style: each.images for each in painted}
    return {
        f"{name}-{number}.png": upright(image, video)
        for name, images in rows.items()
        for number, image in enumerate(images, 1)
    }


def contact_sheet(video: VideoProperties, stills: Sequence[Still], painted: Sequence[Painted]) -> Image.Image:
    """Return the sheet: the film in the first row, a style in each further one, and the time above each column.

    Args:
        video: The properties of the film.
        stills: Its frames, at least one.
        painted: What each style makes of all of them.
    """
    rows = {ORIGINAL: [still.image for still in stills]} | {each.style: each.images for each in painted}
    first = upright(stills[0].image, video)
    scale = CELL / max(first.size)
    width, height = (max(1, round(side * scale)) for side in first.size)
    text, small = ImageFont.load_default(TEXT), ImageFont.load_default(SMALL)
    left = MARGIN + max(int(text.getlength(name)) for name in rows) + 2 * GAP
    top = MARGIN + SMALL + 2 * GAP
    size = (left + len(stills) * (width + GAP) - GAP + MARGIN, top + len(rows) * (height + GAP) - GAP + MARGIN)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, still in enumerate(stills):
        x = left + column * (width + GAP)
        draw.text((x + width / 2, top - GAP), f"at {duration(still.seconds)}", GREY, small, anchor="ms")
        for row, (name, images) in enumerate(rows.items()):
            y = top + row * (height + GAP)
            picture = upright(images[column], video).resize((width, height), Image.Resampling.LANCZOS)
            sheet.paste(picture, (x, y))
            if column == 0:
                draw.text((left - 2 * GAP, y + height / 2), name, INK, text, anchor="rm")
    return sheet
