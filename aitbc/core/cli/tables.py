"""How commands show things on a terminal: tables with units and zones, one line where there is nothing to show."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 200  # into a file or a pipe a table is not cut at 80 columns
STATES = {
    **dict.fromkeys(("online", "completed", "succeeded"), "green"),
    **dict.fromkeys(("settled", "paid"), "bold green"),
    **dict.fromkeys(("running", "leased", "suspect", "draining", "held"), "yellow"),
    **dict.fromkeys(("submitted", "queued", "pending"), "cyan"),
    **dict.fromkeys(("failed", "dead", "refused", "offline"), "red"),
    **dict.fromkeys(("expired", "cancelled", "refunded", "deregistered"), "magenta"),
}
AIT = (
    "amount", "payment_amount", "paid", "fee", "fees", "refunded", "available", "held", "total", "balance",
    "total_earnings", "paid_earnings", "pending_earnings",
)  # fmt: skip
UNITS = {
    **dict.fromkeys(AIT, "AIT"),
    **dict.fromkeys(("price_per_hour", "rate", "max_price"), "AIT/h"),
    "metered_ms": "ms",
    "memory_mb": "MB",
    "waited_seconds": "s",
    "estimate_seconds": "s",
    "ttl_seconds": "s",
}
FRACTION = re.compile(r"(T\d\d:\d\d:\d\d)\.\d+(?=Z|[+-]\d\d:\d\d)")


def console(out: Any = None) -> Console:
    """A console on this stream (standard output), wide when nobody looks."""
    stream: IO[str] = getattr(out, "_out", out) or sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PIPE_WIDTH)


def rows(title: str, found: Iterable[Mapping[str, Any]], names: Sequence[str]) -> RenderableType:
    """One line per thing, one column per name; the unit of a column stands in its head."""
    lines = list(found)
    if not lines:
        return Text(f"{title}: none")
    table = Table(title=escape(title), title_justify="left")
    for name in names:
        table.add_column(labelled(name), overflow="fold", no_wrap=name == names[0])
    for one in lines:
        table.add_row(*(plain(one.get(name)) for name in names))
    return table


def fields(title: str, one: Mapping[str, Any], names: Sequence[str] = ()) -> Table:
    """Two columns: name and value, without what is empty."""
    table = Table(title=escape(title), show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name in names or tuple(one):
        value = one.get(name)
        if value not in (None, "", {}, []):
            table.add_row(escape(labelled(name)), plain(value))
    return table


def labelled(name: str) -> str:
    """The name with its unit; an id goes by the name of the thing."""
    name = name.removesuffix("_id") if name != "id" else name
    return f"{name} ({UNITS[name]})" if name in UNITS else name


def plain(value: Any) -> str:
    """A value as text: states coloured, times to the second, lists in one line, markup of strangers made harmless."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, (list, Mapping)):
        return escape(json.dumps(value, ensure_ascii=False, default=str))
    text = escape(FRACTION.sub(r"\1", str(value)))
    return f"[{STATES[text]}]{text}[/]" if text in STATES else text
