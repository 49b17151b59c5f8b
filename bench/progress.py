"""A line on standard error for every long step, with how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(stderr=True, highlight=False)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Show a spinner where somebody watches, and one line afterwards anywhere."""
    started = time.perf_counter()
    try:
        with console.status(f"{name} …"):
            yield
    finally:
        outcome = "" if sys.exc_info()[0] is None else " [red](failed)[/]"
        console.print(f"  {name}: {time.perf_counter() - started:.1f} s{outcome}")
