"""How much of the cores an operation costs, by who spends it; unlike a rate it is the same on a busy machine.

Read from /proc, hence on Linux only, and the database's part only when its server runs on this machine.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from django.db import connections

TICK = os.sysconf("SC_CLK_TCK")
PARENT, OWN, REAPED = 1, slice(11, 13), slice(13, 15)  # of /proc/<pid>/stat behind the program's name


@dataclass
class Cost:
    """CPU seconds by who spent them, once the measured block has ended."""

    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    def each(self, count: int) -> str:
        """`CPU ms: web 2.10, database 0.80`: what one operation cost."""
        parts = [f"{who} {1000 * spent / max(count, 1):.2f}" for who, spent in self.seconds.items()]
        return "CPU ms: " + ", ".join(parts) if parts else ""


@contextmanager
def metered(processes: dict[str, int]) -> Iterator[Cost]:
    """Meter the trees of these processes (name → process id), the database server and our own children."""
    cost = Cost()
    before = _spent(processes)
    yield cost
    cost.seconds = {who: spent - before[who] for who, spent in _spent(processes).items() if who in before}


def _spent(processes: dict[str, int]) -> dict[str, float]:
    if not Path("/proc/self/stat").exists():
        return {}
    found = {who: _tree(pid) for who, pid in processes.items()}
    if (server := _postmaster()) is not None:
        found["database"] = _tree(server)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {**found, "client": children.ru_utime + children.ru_stime}


def _tree(pid: int) -> float:
    """Seconds of a process, of its living descendants, and of the children it has already seen end."""
    try:
        stat = _stat(pid)
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return 0.0
    ticks = sum(int(n) for n in (*stat[OWN], *stat[REAPED]))
    return ticks / TICK + sum(_tree(child) for child in children)


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def backend_seconds(connection: Any) -> float:
    """CPU seconds so far of the database process behind this Django connection; 0 when it cannot be seen."""
    try:
        nanoseconds = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat").read_text().split()[0]
    except OSError:
        return 0.0
    return int(nanoseconds) / 1e9


@cache
def _postmaster() -> int | None:
    """The database server's first process, if it is one of this machine."""
    with connections["gpu"].cursor() as sql:
        sql.execute("SELECT pg_backend_pid()")
        backend = sql.fetchone()[0]
    try:
        is_ours = "postgres" in Path(f"/proc/{backend}/comm").read_text()
        return int(_stat(backend)[PARENT]) if is_ours else None
    except OSError:
        return None
