"""All painters but the mosaic: local image filters that turn a photograph into a painting.

They hold still in moving pictures by construction, since each pixel depends on its surroundings only. Each of them
takes and returns pictures as RGB float (B, 3, H, W) in 0..1, of any height and width.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from framebrush_scorer.painters.filters import blur, colour, contours, extend, kuwahara, luma_bt601, quantise, ramp
from framebrush_scorer.painters.lines import smear
from framebrush_scorer.painters.mosaic import mosaic  # noqa: F401 - found by its name, as all are
from framebrush_scorer.painters.names import PAINTERS
from framebrush_scorer.painters.strokes import slope, streaks

Painter = Callable[[Tensor], Tensor]
"""Takes and returns pictures (B, 3, H, W) in 0..1."""


def oil(x: Tensor) -> Tensor:
    """Paint thickly: patches of one colour with crisp borders, saturated, lit from the lower right."""
    y = kuwahara(kuwahara(x, 7), 5)
    y = (y - 0.5) * 1.12 + 0.5
    light = y.mean(1, keepdim=True)
    around = extend(light, 1)
    slope = around[..., 1:-1, 2:] - around[..., 1:-1, :-2] + around[..., 2:, 1:-1] - around[..., :-2, 1:-1]
    return (light + (y - light) * 1.35 + 0.6 * slope).clamp(0, 1)


def ink(x: Tensor) -> Tensor:
    """Paint with brown-blue ink and a grey wash on warm paper."""
    paper, pigment = colour(x, 0.97, 0.94, 0.86), colour(x, 0.12, 0.13, 0.20)
    y = kuwahara(x, 5)
    light = y.mean(1, keepdim=True)
    edge = 19 * blur(light, 1.0) - 18 * blur(light, 1.6)
    line = (1 + torch.tanh(10 * (edge - 0.55).clamp_max(0))).clamp(0, 1)
    step = torch.floor(light * 5 + 0.5) / 5 - light
    tone = light + 0.8 * step * torch.sigmoid(200 * (step.abs() - 0.02))
    wash = 0.55 * torch.lerp(pigment, paper, tone.clamp(0, 1) ** 0.8) + 0.45 * paper * y
    return torch.lerp(pigment, wash, line).clamp(0, 1)


def gouache(x: Tensor) -> Tensor:
    """Paint in flat opaque colours of few tones, with indigo shadows, warm lights and contours drawn with a brush."""
    shade, paper, pigment = colour(x, 0.13, 0.10, 0.32), colour(x, 1.0, 0.97, 0.89), colour(x, 0.09, 0.09, 0.20)
    y = kuwahara(kuwahara(x, 4), 3)
    light = luma_bt601(y)
    tone = quantise(light.clamp(0, 1) ** 0.72, levels=6, sharpness=6)
    chroma = (y - light) * (tone / (light + 0.04)).clamp_max(2.2)
    flat = paper * (tone + 1.45 * chroma) + 0.45 * (1 - tone) ** 2 * shade
    lifted = luma_bt601(x) ** 0.6  # so that dark scenes have contours too
    return torch.lerp(pigment, flat, contours(lifted, 1.25, 2.0, 0.004, 70)).clamp(0, 1)


def pencil(x: Tensor) -> Tensor:
    """Draw with graphite on white paper: contours, and shading that leaves the lighter side of every edge bare."""
    paper, graphite = colour(x, 0.98, 0.97, 0.95), colour(x, 0.15, 0.15, 0.19)
    light = luma_bt601(kuwahara(x, 3)).clamp(0, 1)
    shading = (0.25 + 0.75 * light**0.7) * (0.4 + 0.6 * (light / (blur(light, 6.0) + 0.02)).clamp(0, 1))
    line = contours(light**0.6, 1.0, 2.0, 0.002, 45)
    return torch.lerp(graphite, paper, shading * (0.2 + 0.8 * line)).clamp(0, 1)


def poster(x: Tensor) -> Tensor:
    """Print in four inks: navy, red, grey-blue and cream."""
    light = luma_bt601(kuwahara(kuwahara(x, 4), 3)).clamp(0, 1)
    inks = ramp(light, [(-1.0, "0f2a44"), (0.22, "c8232c"), (0.42, "6f9fa8"), (0.60, "f6e3b0")], 60)
    line = contours(luma_bt601(x) ** 0.6, 1.2, 2.0, 0.006, 70)
    return torch.lerp(colour(x, 0.06, 0.16, 0.27), inks, line).clamp(0, 1)


def comic(x: Tensor) -> Tensor:
    """Paint in bright flat colours of few tones, with deep black and bold black contours."""
    y = kuwahara(kuwahara(x, 6), 4)
    light = luma_bt601(y)
    lifted = light.clamp(0, 1) ** 0.7
    tone = quantise(lifted, levels=4, sharpness=14)
    chroma = (2 * (y - light) / (light + 0.05)).clamp(-1, 1)
    flat = (tone * (1 + 0.9 * chroma)).clamp(0, 1)
    black = torch.sigmoid((lifted - 0.17) * 60)
    return (0.04 + flat * black * contours(luma_bt601(x) ** 0.6, 1.6, 2.6, 0.003, 90)).clamp(0, 1)


def vangogh(x: Tensor) -> Tensor:
    """Paint thick strokes that follow the shapes, warm on their lit sides, as in Van Gogh's late paintings."""
    relief, made = streaks(x, 14, 1.3)
    y = smear(kuwahara(x, 4), made.along, made.light, 8)
    light, relief = luma_bt601(y), relief.clamp(-2, 2)
    y = (light + 1.6 * (y - light)) * (1 + 0.22 * relief) + 0.45 * relief * colour(x, 0.10, 0.05, -0.10)
    return (0.02 + 1.05 * y + 0.035 * slope(relief).clamp(-2, 2)).clamp(0, 1)


def woodcut(x: Tensor) -> Tensor:
    """Print black ink on cream paper: hatching that follows the shapes, the denser the darker they are."""
    relief, made = streaks(x, 16, 1.0)
    tone = luma_bt601(kuwahara(x, 3)).clamp(0, 1) ** 0.65
    hatching = torch.sigmoid(5 * (3.2 * (0.62 - tone) + 0.75 * relief.clamp(-2.5, 2.5) - 0.25))
    line = contours(smear(luma_bt601(x) ** 0.6, made.along, made.light, 3), 1.0, 1.9, 0.004, 60)
    ink = 1 - (1 - hatching) * line
    return torch.lerp(colour(x, 0.97, 0.95, 0.90), colour(x, 0.13, 0.12, 0.14), ink).clamp(0, 1)


def find_painter(name: str) -> Painter:
    """Return the painter of a name.

    Raises:
        KeyError: The name is none of :data:`framebrush_scorer.painters.PAINTERS`.
    """
    if name not in PAINTERS:
        raise KeyError(name)
    painter: Painter = globals()[name]
    return painter
