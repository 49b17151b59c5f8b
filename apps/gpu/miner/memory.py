"""The memory of this machine, in MiB."""

import os
from contextlib import suppress
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
MIB = 2**20


def total_mb() -> int:
    """Return the memory of this host, or the container's limit where that is lower."""
    limits = [_meminfo("MemTotal") or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB]
    for file in LIMITS:
        with suppress(OSError, ValueError):  # no such limit, or "max"
            limits.append(int(file.read_text()) // MIB)
    return min(limits)


def available_mb() -> int:
    """Return the memory that new programs can have; all of it where the system does not say."""
    return min(_meminfo("MemAvailable") or total_mb(), total_mb())


def used_mb() -> int:
    """Return the memory in use."""
    return max((_meminfo("MemTotal") or total_mb()) - (_meminfo("MemAvailable") or total_mb()), 0)


def _meminfo(name: str) -> int | None:
    """Return a line of /proc/meminfo; None where there is no such line."""
    with suppress(OSError, ValueError, IndexError):
        for line in MEMINFO.read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) // 1024
    return None
