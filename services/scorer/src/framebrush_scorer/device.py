"""Tells a GPU that is lost to this process from an error of the model's or the frame's."""

import torch

from framebrush.errors import Unfit, first_line

STICKY = (
    "an illegal memory access was encountered",
    "an illegal instruction was encountered",
    "device-side assert triggered",
    "unspecified launch failure",
    "misaligned address",
    "invalid program counter",
    "operation not supported on global/shared address space",
    "hardware stack error",
    "the launch timed out and was terminated",
    "uncorrectable ECC error encountered",
    "uncorrectable NVLink error detected",
    "context is destroyed",
    "all CUDA-capable devices are busy or unavailable",
    "no CUDA-capable device is detected",
    "driver shutting down",
)
"""What CUDA says (cudaGetErrorString) when the process must be started anew, by the documentation of cudaError_t."""


NO_MEMORY = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
"""What errors say for lack of memory that are no torch.OutOfMemoryError."""


class DeviceLost(Unfit):
    """The CUDA context is broken: from here on every call in this process fails, whatever the frames.

    A frame can be why, through a fault in a kernel, so a batch over which this happens again and again is put aside.
    """

    suspect = True


def lacks_memory(error: Exception) -> bool:
    """Whether an error says that there was too little memory, of the machine's or of the GPU's."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(text in str(error) for text in NO_MEMORY)


def check_device(error: Exception) -> None:
    """Pass if the GPU still works after an error, or if there is none in use.

    The error itself need not name the cause: after an illegal memory access cuDNN and cuBLAS fail in words of their
    own, and an error may be reported by a later call than the one that made it. So the device is asked.

    Raises:
        DeviceLost: it does not work.
    """
    if "CUDA error" in str(error) and any(words in str(error) for words in STICKY):
        raise DeviceLost(f"GPU lost: {first_line(error)}") from error
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        try:
            torch.cuda.synchronize()
        except RuntimeError as problem:  # torch.AcceleratorError among them
            raise DeviceLost(f"GPU lost: {first_line(problem)}; found after: {first_line(error)}") from error
