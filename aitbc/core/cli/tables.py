"""How commands show things on a terminal: tables with units and zones, one line where there is nothing to show."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import IO, Any

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from aitbc.core.cli.text import json_text, printable

PIPE_WIDTH = 1000  # into a file or a pipe nothing is cut or wrapped
SHORTEST = 8  # characters of a short id
WHOLE = 24  # what is no longer is never wrapped: amounts, times, states, names of models
WHOLE_WORD = 36  # nor is one word up to this length: an id
NARROWEST = 16  # columns of text keep this width, so that they wrap between words
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
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NUMBER = re.compile(r"–|[-+]?[\d,]+(\.\d+)?%?")
SPACE = re.compile(r"\s")
FRACTION = re.compile(r"(T\d\d:\d\d:\d\d)\.\d+(?=Z|[+-]\d\d:\d\d)")


class PrintableConsole(Console):
    """A console on which no text can steer the terminal, whichever way it comes."""

    def render_str(self, text: str, **options: Any) -> Text:  # type: ignore[override]
        """A text with the width that it is shown with."""
        return super().render_str(printable(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable(segment.text), segment.style)


def console(out: Any = None) -> Console:
    """A console on this stream (standard output), wide when nobody looks; strings are plain text, never markup."""
    stream: IO[str] = getattr(out, "_out", out) or sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return PrintableConsole(file=stream, width=width, markup=False, emoji=False)


class Grid:
    """A table whose columns stand by priority.

    On a terminal ids are as short as is unique in this table, and when the terminal is narrow the last columns are left
    out and named below; numbers, ids and short words are never wrapped. In a file or a pipe everything is whole.
    A cell is plain text; one that is to be coloured is a Text.
    """

    def __init__(
        self, title: str, heads: Sequence[str], lines: Iterable[Sequence[str | Text]], *, note: str = "", none: str = ""
    ) -> None:
        self.title, self.note, self.none = title, note, none
        self.heads = list(heads)
        self.lines = [[cell if isinstance(cell, Text) else Text(printable(cell)) for cell in line] for line in lines]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.lines:
            yield Text(self.none or f"{self.title}: none")
        elif console.is_terminal:
            yield from self._fitted(options.max_width)
        else:
            yield self._table(self._columns(self.lines))
        if self.note:
            yield Text(self.note, overflow="fold")

    def _fitted(self, width: int) -> RenderResult:
        columns = self._columns(shortened(self.lines))
        shown = fitting(columns, width)
        yield self._table(shown, widths(shown, width))
        if left_out := [column.head for column in columns[len(shown) :]]:
            yield Text(f"not shown: {', '.join(left_out)} (a wider terminal, or --json)", style="dim")

    def _columns(self, lines: list[list[Text]]) -> list[Column]:
        return [Column(head, [line[place] for line in lines]) for place, head in enumerate(self.heads)]

    def _table(self, columns: list[Column], wide: Sequence[int | None] = ()) -> Table:
        table = Table(title=self.title, title_justify="left")
        for column, width in zip_longest(columns, wide):
            justify: Any = "right" if column.is_number else "left"
            table.add_column(Text(column.head), width=width, overflow="fold", justify=justify)
        for line in zip(*(column.cells for column in columns), strict=True):
            table.add_row(*line)
        return table


class Column:
    """A column of a Grid: the least width it can have, and that of its content where nothing is wrapped."""

    def __init__(self, head: str, cells: list[Text]) -> None:
        self.head, self.cells = head, cells
        texts = [cell.plain for cell in cells if cell.plain]
        self.content = max(map(cell_len, texts), default=0)
        is_word = self.content <= WHOLE_WORD and not any(map(SPACE.search, texts))
        longest_word = max(map(cell_len, head.split()), default=0)  # heads wrap between words
        self.least = max(self.content if self.content <= WHOLE or is_word else NARROWEST, longest_word)
        self.is_number = all(map(NUMBER.fullmatch, texts))


def fitting(columns: list[Column], width: int) -> list[Column]:
    """The columns without the last ones, as many as fit; at least one."""
    shown = list(columns)
    while len(shown) > 1 and sum(column.least for column in shown) > room(shown, width):
        shown.pop()
    return shown


def room(columns: list[Column], width: int) -> int:
    """What is left for the cells between the lines and their padding."""
    return width - 3 * len(columns) - 1


def widths(columns: list[Column], width: int) -> list[int]:
    """The least width of each column, and what is left over: to texts first, then to heads, from the left."""
    found = [column.least for column in columns]
    left = room(columns, width) - sum(found)
    for full in ([column.content for column in columns], [cell_len(column.head) for column in columns]):
        for place, wide in enumerate(full):
            more = max(0, min(left, wide - found[place]))
            found[place] += more
            left -= more
    return found


def shortened(lines: list[list[Text]]) -> list[list[Text]]:
    """The lines with each id cut to the length at which all of them still differ."""
    ids = {cell.plain for line in lines for cell in line if ID.fullmatch(cell.plain)}
    length = shortest_length(ids)
    return [[cell[:length] if cell.plain in ids else cell for cell in line] for line in lines]


def shortest_length(ids: Collection[str]) -> int:
    """At how many characters, from eight on, these ids differ; never just behind a hyphen."""
    length = SHORTEST
    while len({one[:length] for one in ids}) < len(ids) or any(one[length - 1] == "-" for one in ids):
        length += 1
    return length


def rows(title: str, found: Iterable[Mapping[str, Any]], names: Sequence[str], *, note: str = "") -> Grid:
    """One line per thing, one column per name; the unit of a column stands in its head."""
    lines = [[coloured(one.get(name)) for name in names] for one in found]
    return Grid(title, [labelled(name) for name in names], lines, note=note)


def more(page: Mapping[str, Any]) -> str:
    """The line below a page: how many there are, when the answer says so, and how to see the next ones."""
    shown, total = len(page["items"]), page.get("total", 0)
    counted = f"{shown} of {total}" if total > shown else ""
    following = f"more: --cursor {page['next']}" if page.get("next") else ""
    return "; ".join(filter(None, (counted, following)))


def fields(title: str, one: Mapping[str, Any], names: Sequence[str] = ()) -> Table:
    """Two columns: name and value, without what is empty."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name in names or tuple(one):
        value = one.get(name)
        if value not in (None, "", {}, []):
            table.add_row(labelled(name), coloured(value))
    return table


def labelled(name: str) -> str:
    """The name with its unit; an id goes by the name of the thing."""
    name = name.removesuffix("_id") if name != "id" else name
    return f"{name} ({UNITS[name]})" if name in UNITS else name


def coloured(value: Any) -> Text:
    """A value as `plain` has it, in the colour of the state that it is."""
    text = plain(value)
    return Text(printable(text), style=STATES.get(text, ""))


def plain(value: Any) -> str:
    """A value as text: times to the second, lists in one line."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ", ".join(plain(item) for item in value)
    if isinstance(value, (list, Mapping)):
        return json_text(value)
    return FRACTION.sub(r"\1", str(value))
