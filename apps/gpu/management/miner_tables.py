"""How the `miner` command shows things on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

COLOURS = {
    "online": "green",
    "suspect": "yellow",
    "draining": "yellow",
    "offline": "red",
    "completed": "green",
    "failed": "red",
}
MINERS = ("miner_id", "state", "concurrency", "region", "price_per_hour", "reputation", "last_heartbeat")
GPUS = ("model", "memory_mb", "architecture", "cuda", "status", "price_per_hour", "region")
JOBS = ("job_id", "attempt", "state", "metered_ms", "progress", "code", "granted_at")
BACKENDS = ("id", "url", "kind", "healthy", "models", "state", "last_error", "polled_at")
EARNINGS = ("job_id", "amount", "currency", "payment_status")


def rows(title: str, found: Iterable[Mapping[str, Any]], names: tuple[str, ...]) -> Table:
    """One line per thing, one column per name."""
    table = Table(title=title, title_justify="left")
    for name in names:
        table.add_column(name.removesuffix("_id") if name.endswith("_id") else name, overflow="fold")
    for one in found:
        table.add_row(*(plain(one.get(name)) for name in names))
    return table


def fields(title: str, one: Mapping[str, Any]) -> Table:
    """Two columns: name and value, without what is empty."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in one.items():
        if value not in (None, "", {}, []):
            table.add_row(escape(name), plain(value))
    return table


def plain(value: Any) -> str:
    """A value as text: states coloured, lists in one line, markup of strangers made harmless."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{escape(str(name))}={plain(item)}" for name, item in value.items())
    text = escape(str(value))
    return f"[{COLOURS[text]}]{text}[/]" if text in COLOURS else text
