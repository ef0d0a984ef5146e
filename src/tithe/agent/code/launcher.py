"""Runs inside the process that a command is started in, before it; nothing of Tithe is imported here.

    python -I -S -B launcher.py LIMITS COMMAND...

LIMITS is JSON: {"memory_bytes", "file_bytes", "cpu_s", "writable": [folder, ...] or null}. The limits hold for each process of
the command. RLIMIT_DATA counts what is written to, not what is only reserved, as several runtimes reserve far more than they use.

`writable`: where files may be made, changed and removed; nowhere else, which Linux's Landlock sees to (landlock(7)) for the command
and for all that it starts, for good. null: the command has its user's rights.
"""

import ctypes
import json
import os
import struct
import sys

# The second version is the first in which a file may be moved from one folder to another.
LANDLOCK_VERSION = 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_WRITE_FILE, _TRUNCATE = 1 << 1, 1 << 14
_OF_FOLDERS = sum(
    1 << bit for bit in range(4, 14)
)  # make and remove whatever kind of file, and move it between folders
_NO_NEW_PRIVILEGES = 38
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx")
_FOLDERS_OF_DEVICES = ("/dev/pts", "/dev/shm")  # noqa: S108 - shared memory


def landlock_version() -> int:
    """Landlock's version here; 0: there is none."""
    if not sys.platform.startswith("linux"):
        return 0
    return max(0, ctypes.CDLL(None).syscall(_CREATE_RULESET, None, 0, 1))


def confine(writable: "list[str]") -> None:
    """Let nothing be written but beneath these folders. Raises `OSError` where that cannot be had."""
    libc = ctypes.CDLL(None, use_errno=True)
    of_files = _WRITE_FILE | (_TRUNCATE if landlock_version() > LANDLOCK_VERSION else 0)
    everything = struct.pack("Q", of_files | _OF_FOLDERS)
    rules = _checked(libc.syscall(_CREATE_RULESET, everything, len(everything), 0))
    allowed = [(path, of_files) for path in _DEVICES]
    allowed += [(path, of_files | _OF_FOLDERS) for path in (*_FOLDERS_OF_DEVICES, *writable)]
    for path, rights in allowed:
        if not os.path.exists(path):  # noqa: PTH110 - no pathlib, for speed
            continue
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
        _checked(libc.syscall(_ADD_RULE, rules, 1, struct.pack("=Qi", rights, beneath), 0))
        os.close(beneath)
    _checked(libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _checked(libc.syscall(_RESTRICT_SELF, rules, 0))
    os.close(rules)


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def limit(name: str, most: int) -> None:
    """Set a limit, by its name without RLIMIT_; no higher than the one that there is."""
    import resource  # there is none on Windows, where this module is read for its version alone

    which = getattr(resource, f"RLIMIT_{name}")
    _, hard = resource.getrlimit(which)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (most, most))


def main() -> None:
    limits = json.loads(sys.argv[1])
    limit("CORE", 0)
    limit("CPU", limits["cpu_s"])
    limit("FSIZE", limits["file_bytes"])
    # macOS takes no limit of memory that means anything.
    if sys.platform.startswith("linux"):
        limit("DATA", limits["memory_bytes"])
    if limits["writable"] is not None:
        confine(limits["writable"])
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - the command that was asked for


if __name__ == "__main__":
    main()
