"""The device that models run on: choosing it, how much memory it has, and whether the process has lost it."""

import os

import torch

from framebrush.errors import Unfit, first_line
from framebrush.service import available

SHARE = 0.25
"""The part of the memory that one pass may take when no limit is given. The rest is for frames and weights."""

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
"""What errors for lack of memory say that are no torch.OutOfMemoryError."""


class DeviceLost(Unfit):
    """The CUDA context is broken: from here on every call in this process fails, whatever the frames.

    A frame can be why, through a fault in a kernel, so a batch over which this happens again and again is put aside.
    """

    suspect = True


class NoDevice(Unfit, ValueError):
    """There is no such device, although there should be one."""


ASKED, NONE = "NVIDIA_VISIBLE_DEVICES", ("", "void", "none")
"""The variable by which the device plugin of Kubernetes, and Docker, tell a container its GPUs; and its values if the
container has none."""


def lacks_memory(error: Exception) -> bool:
    """Return whether an error says that the machine or the GPU had too little memory."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(text in str(error) for text in NO_MEMORY)


def check_device(error: Exception) -> None:
    """Return if the GPU still works after an error, or if no GPU is in use.

    The error itself need not name the cause: after an illegal memory access cuDNN and cuBLAS fail in words of their
    own, and an error may be reported by a later call than the one that made it. So the device is asked.

    Raises:
        DeviceLost: The GPU does not work any more.
    """
    if "CUDA error" in str(error) and any(words in str(error) for words in STICKY):
        raise DeviceLost(f"GPU lost: {first_line(error)}") from error
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        try:
            torch.cuda.synchronize()
        except RuntimeError as problem:  # torch.AcceleratorError among them
            raise DeviceLost(f"GPU lost: {first_line(problem)}; found after: {first_line(error)}") from error


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; ``auto`` takes a GPU where there is one.

    Raises:
        ValueError: The name is none of these.
        NoDevice: The machine has no such device; or the container was given a GPU, and CUDA finds none. The CPU would
            be slow and cost as much.

    """
    if name == "auto":
        if not torch.cuda.is_available() and (gpu := os.environ.get(ASKED, "")) not in NONE:
            raise NoDevice(f"{ASKED} is {gpu}, but CUDA finds no GPU: check the driver, or set FRAMEBRUSH_DEVICE=cpu")
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in {"cpu", "cuda"} or (index and not index.isdecimal()) or (kind == "cpu" and index):
        raise ValueError(f"device {name!r} is not one of: auto, cpu, cuda, cuda:N")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise NoDevice(f"device {name!r} is not on this machine, which has {torch.cuda.device_count()} CUDA devices")
    return torch.device(name)


def memory_limit(device: torch.device) -> int:
    """Return the bytes that one pass may take on a device: a share of what the container, machine or card has."""
    if device.type == "cuda":
        return int(SHARE * torch.cuda.mem_get_info(device)[1])
    return int(SHARE * available())
