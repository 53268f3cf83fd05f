"""Bars around a process that decodes what strangers send: so much and no more, and no way out.

Limits hold on every POSIX system. On Linux (x86-64, ARM64) the kernel also refuses the process, from then on, every
call that would reach the network, another file, another program or another process: a decoder that is broken into
finds nothing to open. What it needs has been opened before.
"""

import ctypes
import platform
import resource
import signal
import sys
from typing import Any, Final

ALLOW, REFUSE = 0x7FFF0000, 0x00050001
"""SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO with EPERM."""
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06
"""BPF: load a word of the call, compare, answer."""
NUMBER_AT, KIND_AT = 0, 4
NO_NEW_PRIVILEGES, SET_FILTER, ALL_THREADS = 38, 1, 1
X32: Final = 0x40000000
"""The second set of numbers of an x86-64 kernel."""

FORBIDDEN: Final = (  # noqa: SIM905 - clearer than forty lines
    "open openat openat2 creat open_by_handle_at memfd_create name_to_handle_at unlink unlinkat rename "
    "renameat renameat2 link linkat symlink symlinkat mkdir mkdirat mknod mknodat chmod fchmodat chown "
    "fchownat truncate mount pivot_root chroot socket connect bind listen accept accept4 sendto sendmsg "
    "sendmmsg execve execveat fork vfork ptrace process_vm_readv process_vm_writev kill pidfd_open "
    "pidfd_send_signal io_uring_setup bpf perf_event_open userfaultfd keyctl add_key request_key unshare setns "
    "init_module finit_module "
).split()
NUMBERS: Final[dict[str, dict[str, int]]] = {
    "x86_64": {
        "open": 2, "openat": 257, "openat2": 437, "creat": 85, "open_by_handle_at": 304, "memfd_create": 319,
        "name_to_handle_at": 303, "unlink": 87, "unlinkat": 263, "rename": 82, "renameat": 264, "renameat2": 316,
        "link": 86, "linkat": 265, "symlink": 88, "symlinkat": 266, "mkdir": 83, "mkdirat": 258, "mknod": 133,
        "mknodat": 259, "chmod": 90, "fchmodat": 268, "chown": 92, "fchownat": 260, "truncate": 76, "mount": 165,
        "pivot_root": 155, "chroot": 161, "socket": 41, "connect": 42, "bind": 49, "listen": 50, "accept": 43,
        "accept4": 288, "sendto": 44, "sendmsg": 46, "sendmmsg": 307, "execve": 59, "execveat": 322, "fork": 57,
        "vfork": 58, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kill": 62, "pidfd_open": 434,
        "pidfd_send_signal": 424, "io_uring_setup": 425, "bpf": 321, "perf_event_open": 298, "userfaultfd": 323,
        "keyctl": 250, "add_key": 248, "request_key": 249, "unshare": 272, "setns": 308, "init_module": 175,
        "finit_module": 313, "seccomp": 317,
    },
    "aarch64": {
        "openat": 56, "openat2": 437, "open_by_handle_at": 265, "memfd_create": 279, "name_to_handle_at": 264,
        "unlinkat": 35, "renameat": 38, "renameat2": 276, "linkat": 37, "symlinkat": 36, "mkdirat": 34, "mknodat": 33,
        "fchmodat": 53, "fchownat": 54, "truncate": 45, "mount": 40, "pivot_root": 41, "chroot": 51, "socket": 198,
        "connect": 203, "bind": 200, "listen": 201, "accept": 202, "accept4": 242, "sendto": 206, "sendmsg": 211,
        "sendmmsg": 269, "execve": 221, "execveat": 281, "ptrace": 117, "process_vm_readv": 270,
        "process_vm_writev": 271, "kill": 129, "pidfd_open": 434, "pidfd_send_signal": 424, "io_uring_setup": 425,
        "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "keyctl": 219, "add_key": 217, "request_key": 218,
        "unshare": 97, "setns": 268, "init_module": 105, "finit_module": 273, "seccomp": 277,
    },
}  # fmt: skip
TO_REACH_OUT: Final = frozenset({"open", "openat", "openat2", "socket", "connect", "sendto", "sendmsg", "sendmmsg"})
"""What it takes to ask for a name and to speak to an address."""
KIND: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


class _Line(ctypes.Structure):
    _fields_ = (("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("k", ctypes.c_uint))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("lines", ctypes.POINTER(_Line)))


def limit(*, cpu_s: int, wall_s: int, memory: int, file_bytes: int, files: int) -> None:
    """Bound this process: seconds of work and of life, bytes of address space and of a file, open files, no core."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    if sys.platform.startswith("linux"):  # elsewhere the system does not hold to it
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.alarm(wall_s)  # should the hub die first, nobody else would end us


def close_doors(leave: frozenset[str] = frozenset()) -> bool:
    """Give up files, network and programs for good, but for the calls in `leave`; return whether this could be done."""
    machine = platform.machine()
    if not sys.platform.startswith("linux") or machine not in NUMBERS:
        return False
    libc: Any = ctypes.CDLL(None, use_errno=True)
    lines = _filter(NUMBERS[machine], KIND[machine], leave)
    program = _Program(len(lines), (_Line * len(lines))(*lines))
    if libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    seccomp = NUMBERS[machine]["seccomp"]
    return bool(libc.syscall(seccomp, SET_FILTER, ALL_THREADS, ctypes.byref(program)) == 0)


def _filter(numbers: dict[str, int], kind: int, leave: frozenset[str]) -> list[_Line]:
    """Refuse calls of another kind of machine, the second set of numbers, and what is forbidden; allow the rest."""
    refused = [numbers[name] for name in FORBIDDEN if name in numbers and name not in leave]
    lines = [
        _Line(LOAD, 0, 0, KIND_AT),
        _Line(EQUAL, 1, 0, kind),
        _Line(RETURN, 0, 0, REFUSE),
        _Line(LOAD, 0, 0, NUMBER_AT),
        _Line(AT_LEAST, 0, 1, X32),
        _Line(RETURN, 0, 0, REFUSE),
    ]
    for number in refused:
        lines += [_Line(EQUAL, 0, 1, number), _Line(RETURN, 0, 0, REFUSE)]
    return [*lines, _Line(RETURN, 0, 0, ALLOW)]
