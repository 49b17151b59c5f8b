"""What a benchmark found, beside what it should find, as one table."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

COMPARE = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Figure:
    """One measured number with its target ('' = reported for comparison only)."""

    name: str
    value: float
    unit: str
    target: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        if not self.target:
            return None
        sign, bound = self.target.split()
        return bool(COMPARE[sign](self.value, float(bound)))


def show(figures: Iterable[Figure]) -> bool:
    """Print the table; returns whether every target was met."""
    table = Table(title="AITBC benchmark", title_justify="left")
    for name, justify in (
        ("what", "left"),
        ("measured", "right"),
        ("unit", "left"),
        ("target", "left"),
        ("", "left"),
        ("note", "left"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    met = True
    for figure in figures:
        met = met and figure.met is not False
        mark = {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[figure.met]
        table.add_row(figure.name, f"{figure.value:,.2f}", figure.unit, figure.target, mark, figure.note)
    Console(width=150).print(table)
    return met
