"""The system calls that a process which opens a caller's media may make, as a seccomp filter (seccomp(2)).

The list names what decoders, NumPy, OpenCV and Python need to compute and to use files and pipes that are open. What it
does not name does not exist for the process: sockets, other processes and their memory, programs, namespaces, keys,
io_uring, BPF. New system calls of future kernels are among that.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Iterator

CALLS: dict[str, tuple[int | None, int | None]] = {
    # files and pipes; Landlock decides which files can be opened
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None), "fstat": (5, 80),
    "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "pread64": (17, 67), "pwrite64": (18, 68),
    "readv": (19, 65), "writev": (20, 66), "access": (21, None), "select": (23, None), "dup": (32, 23),
    "fsync": (74, 82), "fdatasync": (75, 83), "ftruncate": (77, 46), "getcwd": (79, 17), "unlink": (87, None),
    "readlink": (89, None), "fstatfs": (138, 44), "getdents64": (217, 61), "fadvise64": (221, 223), "openat": (257, 56),
    "newfstatat": (262, 79), "unlinkat": (263, 35), "readlinkat": (267, 78), "faccessat": (269, 48),
    "pselect6": (270, 72), "ppoll": (271, 73), "fallocate": (285, 47), "preadv": (295, 69), "pwritev": (296, 70),
    "statx": (332, 291), "close_range": (436, 436), "faccessat2": (439, 439),
    # memory
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "mremap": (25, 216),
    "msync": (26, 227), "mincore": (27, 232), "madvise": (28, 233),
    # threads and their signals
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sched_yield": (24, 124),
    "exit": (60, 93), "sigaltstack": (131, 132), "gettid": (186, 178), "futex": (202, 98),
    "sched_getaffinity": (204, 123), "set_tid_address": (218, 96), "restart_syscall": (219, 128),
    "exit_group": (231, 94), "set_robust_list": (273, 99), "getcpu": (309, 168), "membarrier": (324, 283),
    "rseq": (334, 293),
    # the time, and what the machine is like
    "nanosleep": (35, 101), "getpid": (39, 172), "uname": (63, 160), "gettimeofday": (96, 169),
    "getrlimit": (97, 163), "getrusage": (98, 165), "sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174),
    "getgid": (104, 176), "geteuid": (107, 175), "getegid": (108, 177), "getppid": (110, 173),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "clock_nanosleep": (230, 115), "getrandom": (318, 278),
}  # fmt: skip
"""The numbers of the calls that are allowed in any form: of x86_64, and of aarch64. None means that it has no such."""

F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC = 0, 1, 2, 3, 4, 1030
PR_SET_NAME, PR_GET_NAME, PR_SET_VMA, CLONE_THREAD = 15, 16, 0x53564D41, 0x10000
TCGETS, FIONCLEX, FIOCLEX = 0x5401, 0x5450, 0x5451

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""For each machine its place in the table, and what the kernel calls it (linux/audit.h)."""
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
"""The instructions of a filter: load a word of the call's description, jump if it is or has, return what to do."""
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16
"""The offsets in the call's description, struct seccomp_data."""
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
PR_GET_SECCOMP, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 21, 22, 2

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def program(machine: str, pid: int) -> bytes:
    """Return the filter for a process, as the kernel takes it: 8 bytes for each instruction.

    Args:
        machine: ``x86_64`` or ``aarch64``, as in uname(2).
        pid: The process, which may send signals to itself: abort(3) does.

    Raises:
        KeyError: There is no table for this machine.
    """
    place, architecture = _ARCHITECTURES[machine]
    words = {
        # name: the numbers, which argument is looked at, and its values
        "ioctl": ((16, 29), 1, (TCGETS, FIONCLEX, FIOCLEX)),
        "kill": ((62, 129), 0, (pid,)),
        "tgkill": ((234, 131), 0, (pid,)),
        # F_SETOWN and F_SETSIG would make the kernel send any signal to any process of this user.
        "fcntl": ((72, 25), 1, (F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC)),
        "prctl": ((157, 167), 0, (PR_SET_NAME, PR_GET_NAME, PR_SET_VMA)),
        "prlimit64": ((302, 261), 0, (0,)),  # the process itself
    }
    made = [_instruction(_LOAD, _ARCH), _instruction(_EQUAL, architecture, 1, 0), _instruction(_RETURN, _KILL)]
    made.append(_instruction(_LOAD, _NUMBER))
    for numbers in CALLS.values():
        number = numbers[place]
        if number is not None:
            made += [_instruction(_EQUAL, number, 0, 1), _instruction(_RETURN, _ALLOW)]
    for numbers, argument, values in words.values():
        made += _checked(numbers[place], argument, [_instruction(_EQUAL, value, 0, 1) for value in values])
    # Threads yes, processes no. glibc tries clone3 first, whose flags a filter cannot see, and then clone.
    made += _checked((56, 220)[place], 0, [_instruction(_ANY_BIT, CLONE_THREAD, 0, 1)])
    made.append(_instruction(_RETURN, _ERROR | errno.ENOSYS))
    return b"".join(made)


def available() -> bool:
    """Return whether this kernel and this machine have such filters."""
    if os.uname().machine not in _ARCHITECTURES:
        return False
    # The kernel looks at the mode first, and then finds that there is no program at address 0.
    found = _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, None, 0, 0)
    return bool(found == -1 and ctypes.get_errno() == errno.EFAULT)


def install() -> None:
    """Filter the system calls of this process from now on. It has one thread, and cannot gain privileges any more.

    Raises:
        OSError: The kernel refuses the filter.
    """
    content = program(os.uname().machine, os.getpid())
    filtered = _Program(len(content) // 8, content)
    if _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(filtered), 0, 0):
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def _instruction(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
    """Return one instruction. The latter two are the numbers of instructions that a jump leaves out."""
    return struct.pack("=HBBI", code, then, otherwise, value)


def _checked(number: int, argument: int, checks: list[bytes]) -> Iterator[bytes]:
    """Yield what allows a call if the lower half of an argument passes a check, and refuses it with EPERM else."""
    yield _instruction(_EQUAL, number, 0, 2 + 2 * len(checks))
    yield _instruction(_LOAD, _ARGUMENTS + 8 * argument)
    for check in checks:
        yield from (check, _instruction(_RETURN, _ALLOW))
    yield _instruction(_RETURN, _ERROR | errno.EPERM)
