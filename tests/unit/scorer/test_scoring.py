"""Batches through a model that fails in every way a model can."""

import time

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from prometheus_client import REGISTRY

from framebrush_scorer.device import STICKY, DeviceLost
from framebrush_scorer.frames import BadFrame
from framebrush_scorer.models import FrameModel
from framebrush_scorer.pipeline import score
from framebrush_scorer.pipeline.scoring import ModelFailed, OutOfMemory

Frames = NDArray[np.uint8]
FRAMES: Frames = np.arange(4 * 2 * 2 * 3, dtype=np.uint8).reshape(4, 2, 2, 3)


class Slow:
    """Takes 50 ms a call; has memory for so many frames, and fails at frames that begin with ``bad``."""

    name = "slow"

    def __init__(self, room: int = 99, bad: int | None = None) -> None:
        self.room, self.bad, self.calls = room, bad, 0

    def __call__(self, frames: Frames) -> Frames:
        self.calls += 1
        time.sleep(0.05)
        if len(frames) > self.room:
            raise MemoryError
        if self.bad is not None and self.bad in frames[:, 0, 0, 0]:
            raise ValueError("bad frame")
        return frames


def model_seconds() -> float:
    return REGISTRY.get_sample_value("framebrush_model_seconds_total") or 0.0


@pytest.mark.parametrize(
    ("model", "calls"),
    [(Slow(), 1), (Slow(room=2), 3), (Slow(bad=24), 5)],
    ids=["at once", "in halves, for lack of memory", "one by one, to find the bad frame"],
)
def test_time_in_the_model_counts_once_whatever_it_takes(model: Slow, calls: int) -> None:
    before, started = model_seconds(), time.monotonic()
    score(model, FRAMES)
    took, counted = time.monotonic() - started, model_seconds() - before
    assert model.calls == calls
    assert 0.05 * calls <= counted <= took


def test_a_model_that_fails_was_at_work_too() -> None:
    def wrong(frames: Frames) -> Frames:
        time.sleep(0.05)
        return frames[:1]

    model: FrameModel = type("Wrong", (), {"name": "wrong", "__call__": staticmethod(wrong)})()
    before = model_seconds()
    with pytest.raises(ModelFailed):
        score(model, FRAMES)
    assert model_seconds() - before >= 0.05


class Failing:
    """Raises the same error again and again."""

    name = "failing"

    def __init__(self, error: Exception) -> None:
        self.error, self.calls = error, 0

    def __call__(self, frames: Frames) -> Frames:
        self.calls += 1
        raise self.error


@pytest.mark.parametrize("words", STICKY)
@pytest.mark.parametrize("kind", [torch.AcceleratorError, RuntimeError], ids=["torch 2.8 and later", "torch before"])
def test_a_lost_gpu_is_not_the_frames_fault(words: str, kind: type[RuntimeError]) -> None:
    hint = "Search for `cudaErrorIllegalAddress' in https://docs.nvidia.com/cuda/cuda-runtime-api/"
    model = Failing(kind(f"CUDA error: {words}\n{hint}"))
    with pytest.raises(DeviceLost, match=words):
        score(model, FRAMES)
    assert model.calls == 1, "a lost GPU scores no half of the batch either"


def test_a_library_that_fails_on_a_lost_gpu_is_not_the_frames_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """cuDNN has words of its own for what happened earlier; whether the GPU is lost tells the GPU."""

    def synchronize() -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", synchronize)
    with pytest.raises(DeviceLost, match="illegal memory access"):
        score(Failing(RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")), FRAMES)


def test_a_library_that_fails_on_a_sound_gpu_concerns_the_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    model = Failing(RuntimeError("cuDNN error: CUDNN_STATUS_BAD_PARAM"))
    assert score(model, FRAMES) == [BadFrame("RuntimeError: cuDNN error: CUDNN_STATUS_BAD_PARAM")] * 4


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_lack_of_memory_is_not_the_frames_fault(error: Exception) -> None:
    with pytest.raises(OutOfMemory, match="no memory for a frame of 2x2"):
        score(Failing(error), FRAMES)
