"""RgbFrames through a model, such that one bad frame costs one frame."""

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


class ModelFailed(PermanentError):
    """A model did not do what the interface says."""

    reason = "model_failed"


class OutOfMemory(FramebrushError):
    """Not even one frame fits beside the model: worth a try elsewhere, never a reason to drop the frame."""


def score(model: FrameModel, frames: RgbFrames) -> list[RgbFrame | BadFrame]:
    """One result per frame: the new frame (H, W, 3), or why there is none.

    A batch that fails is halved and tried again: bad frames are found in O(log B) calls each, and a batch that is
    too large for the memory shrinks until it fits.

    Raises:
        OutOfMemory: a single frame does not fit.
        DeviceLost: the GPU can do nothing more in this process.
        ModelFailed: the model returned something else than frames of the same shape.
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
