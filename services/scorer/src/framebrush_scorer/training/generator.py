"""Generates pictures to learn from where there are no photographs: gradients, shapes, textures, strokes, letters."""

import cv2
import numpy as np
import numpy.typing as npt

UnitImage = npt.NDArray[np.float32]
"""An RGB picture, float32 (H, W, 3) in 0..1."""


def generate(rng: np.random.Generator, size: int) -> UnitImage:
    """Return a random picture (size, size, 3). It follows from the state of ``rng`` alone."""
    picture = shade(rng, size)
    if rng.random() < 0.7:
        picture = blend(picture, shade(rng, size), texture(rng, size) > rng.uniform(0.35, 0.65))
    layers = [shapes, shapes, strokes, letters]
    for k in rng.integers(len(layers), size=rng.integers(1, 5)):
        picture = layers[k](rng, picture)
    grain = texture(rng, size)[..., None] - 0.5
    picture = picture * (1 + rng.uniform(0, 0.9) * grain) + rng.uniform(0, 0.1) * grain
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 2.5))
    return np.asarray(np.clip(picture, 0, 1), np.float32)


def colours(rng: np.random.Generator, count: int) -> UnitImage:
    """Return random colours (1, count, 3) in 0..1. Colours of nature are frequent, and all colours are possible."""
    hue = rng.choice([rng.uniform(15, 50), rng.uniform(80, 140), rng.uniform(190, 250), rng.uniform(0, 360)], count)
    saturation = rng.beta(1.3, 2, count)
    value = rng.beta(1.4, 1.2, count)
    hsv = np.stack([hue, saturation, value], axis=-1)[None].astype(np.float32)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)


def texture(rng: np.random.Generator, size: int) -> UnitImage:
    """Return noise of several octaves in 0..1, (size, size), stretched in a random direction."""
    roughness, stretch = rng.uniform(0.35, 0.95), np.exp(rng.uniform(-1.5, 1.5))
    total = np.zeros((size, size), np.float32)
    cells, weight = int(rng.integers(2, 9)), 1.0
    while cells < size:
        grid = rng.standard_normal((max(2, int(cells * stretch)), cells)).astype(np.float32)
        total += weight * cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 2, weight * roughness
    turn = cv2.getRotationMatrix2D((size / 2, size / 2), rng.uniform(0, 360), 1)
    total = cv2.warpAffine(total, turn, (size, size), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
    return np.asarray((total - total.min()) / max(float(np.ptp(total)), 1e-6), np.float32)


def shade(rng: np.random.Generator, size: int) -> UnitImage:
    """Return a soft gradient between four random colours, (size, size, 3)."""
    corners = colours(rng, 4).reshape(2, 2, 3)
    if rng.random() < 0.5:
        corners = corners.mean((0, 1)) + 0.4 * (corners - corners.mean((0, 1)))
    return cv2.resize(corners.astype(np.float32), (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32)


def blend(below: UnitImage, above: UnitImage, mask: npt.NDArray[np.bool_]) -> UnitImage:
    """Return one picture laid over another where the mask (H, W) is true, with a soft edge."""
    alpha = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)[..., None]
    return np.asarray(below + (above - below) * alpha, np.float32)


def shapes(rng: np.random.Generator, picture: UnitImage) -> UnitImage:
    """Return a picture with ellipses and polygons added, many of them shaded like solid things."""
    size = len(picture)
    for _ in range(rng.integers(1, 7)):
        mask = np.zeros((size, size), np.uint8)
        centre, radius = rng.uniform(0, size, 2), size * np.exp(rng.uniform(-3.2, -0.9))
        if rng.random() < 0.6:
            axes = (int(radius) + 2, int(radius * rng.uniform(0.4, 1)) + 2)
            cv2.ellipse(mask, tuple(map(int, centre)), axes, rng.uniform(0, 360), 0, 360, 1, -1)
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
            corners = centre + radius * 1.3 * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
            cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
        inner = shade(rng, size)
        if rng.random() < 0.7:
            depth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(1.0, radius / 2))
            light = cv2.warpAffine(depth, np.array([[1, 0, radius / 3], [0, 1, radius / 3]]), (size, size))
            inner = inner * (0.4 + 1.1 * light[..., None])
        picture = blend(picture, np.asarray(inner, np.float32), mask > 0)
    return picture


def strokes(rng: np.random.Generator, picture: UnitImage) -> UnitImage:
    """Return a picture with a field of thin curved strokes added, like grass, hair or twigs."""
    size, count = len(picture), int(rng.integers(10, 250))
    inks = colours(rng, 1) * rng.uniform(0.5, 1.3, (1, count, 1))
    picture = np.ascontiguousarray(picture)
    direction, spread, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.1, 0.8), size * rng.uniform(0.03, 0.3)
    for k in range(count):
        steps = np.linspace(0, length * rng.uniform(0.4, 1.2), 8)
        angle = direction + spread * rng.standard_normal() + np.cumsum(np.full(8, rng.normal(0, 0.1)))
        path = rng.uniform(0, size, 2) + steps[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        width = int(rng.integers(1, 4))
        cv2.polylines(picture, [path.astype(np.int32)], False, inks[0, k].tolist(), width, cv2.LINE_AA)
    return picture


def letters(rng: np.random.Generator, picture: UnitImage) -> UnitImage:
    """Return a picture with a few letters added, which have strong thin contours."""
    for ink in colours(rng, int(rng.integers(1, 4)))[0]:
        mask = np.zeros(picture.shape[:2], np.uint8)
        text = "".join(map(chr, rng.integers(48, 123, rng.integers(1, 8))))
        place = [int(v) for v in rng.uniform(0, len(picture), 2)]
        font, scale, width = int(rng.integers(8)), rng.uniform(0.4, 2.5), int(rng.integers(1, 5))
        cv2.putText(mask, text, place, font, scale, [1], width)
        picture = blend(picture, np.broadcast_to(ink, picture.shape), mask > 0)
    return picture
