"""Takes frames through a model in such a way that one bad frame costs one frame."""

import logging
import time

import numpy as np
from prometheus_client import Counter

from framebrush.errors import FramebrushError, PermanentError
from framebrush_scorer.device import check_device, lacks_memory
from framebrush_scorer.frames import BadFrame, RgbFrame, RgbFrames
from framebrush_scorer.models import FrameModel

log = logging.getLogger(__name__)

_model_seconds = Counter("framebrush_model_seconds_total", "Time that the model was at work.")


PART_PIXELS = 16_000_000
"""The pixels of the frames that a model is given at a time: about 50 MB each way."""


class FrameFailed(PermanentError):
    """A frame could not be scored, and nothing is to stand in its place."""

    reason = "frame_failed"


class ModelFailed(PermanentError):
    """A model returned something else than :class:`framebrush_scorer.models.FrameModel` says."""

    reason = "model_failed"


class OutOfMemory(FramebrushError):
    """Not even one frame fits beside the model. It may fit elsewhere, so the frame is not bad."""


def score(model: FrameModel, frames: RgbFrames) -> list[RgbFrame | BadFrame]:
    """Return one result per frame, in the same order: the new frame (H, W, 3), or a bad frame with the reason.

    A batch that fails is halved and tried again: each bad frame is found in O(log B) calls, and a batch that is too
    large for the memory shrinks until it fits.

    Args:
        model: The model. Its errors count as errors of the frames, unless the GPU or the memory is the cause.
        frames: RGB pictures, uint8 (B, H, W, 3).

    Raises:
        OutOfMemory: A single frame does not fit into the memory.
        DeviceLost: The GPU can do nothing more in this process.
        ModelFailed: The model returned something else than uint8 frames of the same shape.
    """
    started = time.monotonic()
    try:
        scored = model(frames)
    except Exception as error:
        check_device(error)
        if lacks_memory(error):
            if len(frames) == 1:
                size = f"{frames.shape[2]}x{frames.shape[1]}"
                raise OutOfMemory(f"{model.name}: no memory for a frame of {size}") from error
            log.warning("%s: no memory for %d frames at once, halving", model.name, len(frames))
        elif len(frames) == 1:  # a model is foreign code: what it raises concerns these frames only
            return [BadFrame(f"{type(error).__name__}: {error}")]
    else:
        if scored.shape != frames.shape or scored.dtype != np.uint8:
            raise ModelFailed(f"{model.name}: expected uint8 frames {frames.shape}, got {scored.dtype} {scored.shape}")
        return list(scored)
    finally:
        _model_seconds.inc(time.monotonic() - started)
    half = len(frames) // 2
    return score(model, frames[:half]) + score(model, frames[half:])
