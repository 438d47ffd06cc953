"""Paints the picture of the README: a landscape made of noise and shapes, as it is and in the shipped styles.

Usage: gallery.py OUTPUT.jpg
"""

import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from framebrush_scorer.models import load

HEIGHT, WIDTH = 540, 960
Plane = npt.NDArray[np.float64]


def noise(rng: np.random.Generator, height: int, width: int, cells: tuple[int, int], octaves: int = 6) -> Plane:
    """Fractal noise (height, width) around 0, each octave twice as fine and half as strong."""
    total = np.zeros((height, width))
    for octave in range(octaves):
        grid = rng.standard_normal((cells[0] * 2**octave + 1, cells[1] * 2**octave + 1))
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / 2**octave
    return total


def color(*rgb: int) -> Plane:
    """A colour, (3,), in 0..255."""
    return np.array(rgb, float)


def landscape(seed: int = 8) -> npt.NDArray[np.uint8]:
    """RGB (HEIGHT, WIDTH, 3): an evening sky, three ridges, a lake, a meadow and a tree."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    fade = np.clip(y / 300, 0, 1)[..., None]
    image = color(70, 110, 190) * (1 - fade) + color(255, 205, 150) * fade
    clouds = np.clip(noise(rng, HEIGHT, WIDTH, (3, 4)) * 0.7 - 0.1, 0, 1)[..., None] * (1 - fade * 0.6)
    image = image * (1 - 0.8 * clouds) + color(255, 240, 235) * 0.8 * clouds
    sun = np.exp(-((x - 690) ** 2 + (y - 215) ** 2) / 1500)[..., None]
    image = image * (1 - sun) + color(255, 250, 215) * sun
    for base, swing, tint in ((265, 45, (128, 140, 180)), (300, 30, (82, 108, 128)), (330, 18, (52, 92, 74))):
        ridge = base + swing * noise(rng, 1, WIDTH, (1, 5), 6)[0]
        depth = np.clip((y - ridge[None]) / 120, 0, 1)[..., None]
        rock = 1 + 0.12 * noise(rng, HEIGHT, WIDTH, (14, 20), 3)[..., None]
        image = np.where((y > ridge[None])[..., None], color(*tint) * rock * (1 - 0.3 * depth), image)
    lake = (y > 340) & (y < 420)
    rows = np.clip(680 - y + 5 * np.sin(y * 0.9 + 4 * noise(rng, HEIGHT, WIDTH, (40, 3), 2)), 0, 339).astype(int)
    image = np.where(lake[..., None], image[rows, x.astype(int)] * 0.78 + color(18, 32, 50), image)
    shore = 405 + 12 * noise(rng, 1, WIDTH, (1, 4), 5)[0]
    tufts = 1 + 0.25 * noise(rng, HEIGHT, WIDTH, (30, 60), 3)[..., None]
    near = np.clip((y - shore[None]) / 140, 0, 1)[..., None]
    meadow = (color(120, 150, 60) * (1 - near) + color(70, 120, 40) * near) * tufts
    image = np.where((y > shore[None])[..., None], meadow, image)
    canvas = np.ascontiguousarray(np.clip(image, 0, 255).astype(np.uint8))
    plant(rng, canvas)
    return canvas


def plant(rng: np.random.Generator, canvas: npt.NDArray[np.uint8]) -> None:
    """Draw grass, flowers and a tree."""
    for _ in range(2600):
        foot = (int(rng.integers(0, WIDTH)), int(rng.integers(425, HEIGHT + 10)))
        size = 3 + (foot[1] - 420) / 8
        tip = (int(foot[0] + rng.normal(0, size / 3)), int(foot[1] - size))
        green = rng.integers([60, 110, 20], [170, 200, 90])
        cv2.line(canvas, foot, tip, green.tolist(), 1, cv2.LINE_AA)
    for _ in range(130):
        center = (int(rng.integers(0, WIDTH)), int(rng.integers(440, HEIGHT)))
        petal = [(235, 70, 60), (250, 220, 90), (240, 240, 250), (170, 90, 200)][rng.integers(4)]
        cv2.circle(canvas, center, 1 + (center[1] - 430) // 35, petal, -1, cv2.LINE_AA)
    trunk = np.array([[196, 455], [206, 330], [202, 250], [214, 250], [222, 330], [236, 455]])
    cv2.fillPoly(canvas, [trunk], (84, 60, 44), cv2.LINE_AA)
    for end in ((150, 220), (270, 215), (240, 180), (175, 180)):
        cv2.line(canvas, (210, 290), end, (84, 60, 44), 6, cv2.LINE_AA)
    for _ in range(900):
        angle, radius = rng.uniform(0, 2 * np.pi), rng.uniform(0, 1) ** 0.5
        center = (int(210 + 105 * radius * np.cos(angle)), int(190 + 80 * radius * np.sin(angle)))
        light = 0.55 + 0.45 * (center[0] - 105) / 210 + rng.normal(0, 0.12)
        leaf = np.clip(np.array([205, 120, 45]) * light, 0, 255)
        cv2.circle(canvas, center, int(rng.integers(4, 10)), leaf.tolist(), -1, cv2.LINE_AA)


def main() -> None:
    """Write the gallery: the original and three styles, two by two, each with its name."""
    source = landscape()
    tiles = []
    for name in ("original", "gouache", "oil", "ink"):
        tile = source.copy() if name == "original" else load(name)(source[None])[0]
        cv2.putText(tile, name, (14, HEIGHT - 16), cv2.FONT_HERSHEY_DUPLEX, 0.9, (20, 20, 20), 4, cv2.LINE_AA)
        cv2.putText(tile, name, (14, HEIGHT - 16), cv2.FONT_HERSHEY_DUPLEX, 0.9, (255, 255, 255), 1, cv2.LINE_AA)
        tiles.append(tile)
    sheet = np.vstack([np.hstack(tiles[:2]), np.hstack(tiles[2:])])
    sheet = cv2.resize(sheet, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(Path(sys.argv[1])), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
