"""Measurements beside their targets, as one table."""

from __future__ import annotations

import operator
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

COMPARE = {">=": operator.ge, "<=": operator.le}
MARKS = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}


def load_average() -> float:
    """Runnable processes over the last minute, ours included."""
    return os.getloadavg()[0]


@dataclass(frozen=True)
class Measurement:
    """One measured number with its target ('' = reported for comparison only) and the machine's load just then."""

    name: str
    value: float
    unit: str
    target: str = ""
    note: str = ""
    load: float = field(default_factory=load_average)

    @property
    def met(self) -> bool | None:
        if not self.target:
            return None
        sign, bound = self.target.split()
        return bool(COMPARE[sign](self.value, float(bound)))


def show(measurements: Sequence[Measurement], broken: Mapping[str, str]) -> bool:
    """Print the table, benchmarks that broke at its end; returns whether every target was met and nothing broke."""
    table = Table(title=f"AITBC benchmark: {machine()}", title_justify="left")
    for name, justify in (("what", "left"), ("measured", "right"), ("unit", "left"), ("target", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    table.add_column("", no_wrap=True)
    table.add_column("load", justify="right")
    table.add_column("note", ratio=1)
    for one in measurements:
        value = f"{one.value:,.0f}" if one.value >= 1000 else f"{one.value:,.2f}"
        row = (one.name, value, one.unit, one.target, MARKS[one.met], f"{one.load:.1f}", one.note)
        table.add_row(*row)
    for name, reason in broken.items():
        table.add_row(name, "–", "", "", "[red]broke[/]", "", reason)
    Console(width=170).print(table)
    return not broken and all(one.met is not False for one in measurements)


def machine() -> str:
    return f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
