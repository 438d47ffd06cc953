"""Maps high dynamic range to what eight bits can show. It needs the extra ``framebrush[images]``.

The reference display of both kinds of HDR is taken to reach 1,000 cd/m². The display of the output shows white at
203 cd/m², where ITU-R BT.2408 puts the white of graphics and of ordinary images.
"""

from functools import cache

import numpy as np
import numpy.typing as npt

from framebrush.media.images import BgrImage

PQ, HLG = 16, 18
"""Code points of the transfer characteristics (ITU-T H.273, table 3)."""
PEAK, WHITE = 1000.0, 203.0
"""The brightest light of the input's display, and the white of the output's, in cd/m²."""
BT2020_TO_BT709 = np.array(
    [[1.660491, -0.587641, -0.072850], [-0.124550, 1.132900, -0.008349], [-0.018151, -0.100579, 1.118730]], np.float32
)
"""The matrix (3, 3) for linear RGB (ITU-R BT.2087)."""
M1, M2, C1, C2, C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
"""The constants of SMPTE ST 2084."""
A, B, C = 0.17883277, 0.28466892, 0.55991073
"""The constants of the hybrid log-gamma in ITU-R BT.2100."""

Floats = npt.NDArray[np.float64]


def pq_to_light(signal: Floats) -> Floats:
    """Return the light, 0..10,000 cd/m², of a signal in 0..1 (SMPTE ST 2084, EOTF)."""
    power = np.power(signal, 1 / M2)
    light: Floats = 10_000 * np.power(np.maximum(power - C1, 0) / (C2 - C3 * power), 1 / M1)
    return light


def light_to_pq(light: Floats) -> Floats:
    """Return the signal of light: the inverse of :func:`pq_to_light`."""
    power = np.power(light / 10_000, M1)
    return np.power((C1 + C2 * power) / (1 + C3 * power), M2)


def hlg_to_scene(signal: Floats) -> Floats:
    """Return the scene light, 0..1, of a signal in 0..1 (ITU-R BT.2100, inverse OETF)."""
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - C) / A) + B) / 12)


def compress(light: Floats) -> Floats:
    """Return light of 0..``PEAK`` as light of 0..``WHITE`` cd/m² (ITU-R BT.2390, EETF).

    Dark and middle tones stay as they are, and bright ones are compressed.
    """
    peak, white = light_to_pq(np.array([PEAK, WHITE]))
    signal, target = np.minimum(light_to_pq(light) / peak, 1), white / peak
    knee = 1.5 * target - 0.5
    t = np.maximum(signal - knee, 0) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * target
    return pq_to_light(np.where(signal < knee, signal, spline) * peak)


@cache
def _linear(transfer: int) -> npt.NDArray[np.float32]:
    """Return a table (65536,) of float32, by signal of 16 bits: light in cd/m² for PQ, scene light for HLG."""
    signal = np.arange(65536) / 65535
    return (pq_to_light(signal) if transfer == PQ else hlg_to_scene(signal)).astype(np.float32)


STEPS = 4096


@cache
def _gain() -> npt.NDArray[np.float32]:
    """Return a table of the factors of light, by the square root of light in equal steps."""
    light = (np.arange(STEPS + 1) / STEPS) ** 2 * PEAK
    light[0] = light[1]
    return (compress(light) / light).astype(np.float32)


@cache
def _display() -> npt.NDArray[np.uint8]:
    """Return a table of signals of eight bits, by the square root of light over white (ITU-R BT.1886, inverse)."""
    return np.rint(255 * ((np.arange(STEPS + 1) / STEPS) ** 2) ** (1 / 2.4)).astype(np.uint8)


def to_bt709(image: npt.NDArray[np.uint16], transfer: int) -> BgrImage:
    """Tone-map an image to BT.709.

    Args:
        image: Values (H, W, 3) of uint16, red first, with the primaries of BT.2020.
        transfer: The code point of the transfer characteristic, ``PQ`` or ``HLG``.

    Returns:
        Values (H, W, 3) of uint8, blue first.
    """
    light = _linear(transfer)[image]
    if transfer == HLG:  # This is the OOTF for a display of 1,000 cd/m², whose system gamma is 1.2.
        luminance = light @ np.array([0.2627, 0.6780, 0.0593], np.float32)
        light = PEAK * light * np.power(luminance, np.float32(0.2))[..., None]
    brightest = np.minimum(light.max(axis=-1), PEAK)
    light = light * _gain()[(np.sqrt(brightest / PEAK) * STEPS).astype(np.int32)][..., None]
    light = np.clip(light @ BT2020_TO_BT709.T / WHITE, 0, 1)
    return np.ascontiguousarray(_display()[np.rint(np.sqrt(light) * STEPS).astype(np.int32)][..., ::-1])
