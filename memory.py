"""How much memory there is, and a refusal before the start where it would not suffice."""

import os
from pathlib import Path

from .errors import UserError

OVERHEAD = 1 << 29
"""Half a GiB: libraries, labels of units, pages of files that are being read."""


class NotEnoughMemory(UserError):
    """Work that memory would not hold."""


def available_bytes() -> int:
    """Memory that may be used: ``$BRODMANN_MEMORY_GB`` where set, else what the machine has free.

    Raises
    ------
    UserError
        Where the variable is not a positive number.
    """
    limit = os.environ.get("BRODMANN_MEMORY_GB")
    if limit:
        try:
            gigabytes = float(limit)
        except ValueError:
            gigabytes = -1.0
        if gigabytes <= 0:
            raise UserError(f"BRODMANN_MEMORY_GB must be a positive number of gigabytes, not {limit!r}")
        return int(gigabytes * 2**30)
    free = [_machine_free(), *_cgroup_free()]
    return min(free)


def _machine_free() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return 1 << 62


def _cgroup_free() -> list[int]:
    root = Path("/sys/fs/cgroup")
    try:
        return [int((root / "memory.max").read_text()) - int((root / "memory.current").read_text())]
    except (OSError, ValueError):  # no container, or no limit ("max")
        return []


def require(n_bytes: int, what: str, *, remedy: str = "ask for fewer or smaller layers") -> None:
    """Refuse work that would not fit.

    Parameters
    ----------
    n_bytes : int
        What the work itself takes; ``OVERHEAD`` is added for what comes with it.
    what : str
        The work, for the message.
    remedy : str
        What a person may do about it, for the message.

    Raises
    ------
    NotEnoughMemory
        With the estimate, what is free, and what to do.
    """
    free = available_bytes()
    n_bytes += OVERHEAD
    if n_bytes > free:
        raise NotEnoughMemory(
            f"{what} would take about {n_bytes / 2**30:.1f} GiB of memory and {free / 2**30:.1f} GiB are free: "
            f"{remedy}, or set BRODMANN_MEMORY_GB if you know better"
        )
