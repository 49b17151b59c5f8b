"""Looking at real processes: which of them belong to a folder, and waiting for something to become true."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def of_folder(var: Path) -> dict[int, str]:
    """Living processes whose environment or command line names the folder, this one excepted: pid → command line."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes()
            about = (entry / "environ").read_bytes() + command
        except OSError:
            continue
        if command and os.fsencode(var) in about:
            found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def eventually(ready: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until it holds; an assertion error naming it when it does not in time."""
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
