"""Which clock a process's monotonic stamps are on."""

from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def machine_clock() -> str | None:
    """A name for the clock behind `core.SystemClock` that all processes of this machine share until it is started anew.

    None where there is no telling: recordings are then put together by their dates.
    """
    try:
        return _BOOT.read_text(encoding="ascii").strip() or None
    except OSError:
        return None
