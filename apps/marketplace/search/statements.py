"""A search as one SQL statement: conditions, order and the place where the last page ended.

The listed states stand in the text, not in parameters, so that a prepared plan may use the partial index over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.marketplace.models import BookingSlice, MarketplaceOffer
from apps.marketplace.models.offers import LISTED
from apps.marketplace.search.fields import Kind, Workload
from apps.marketplace.search.terms import Key, Term

OFFERS = MarketplaceOffer._meta.db_table
SLICES = BookingSlice._meta.db_table
SCOPE = f"state IN ({', '.join(repr(str(state)) for state in LISTED)})"
#: Stands for "not known" when sorting; no fact is as large.
LAST = 1e300
CASTS = {Kind.NUMBER: "float8", Kind.AMOUNT: "bigint", Kind.FLAG: "boolean", Kind.TEXT: "text"}
SIGNS = {"==": "="}


@dataclass(frozen=True)
class Window:
    """How many GPUs must be free, from when to when."""

    starts_at: datetime
    ends_at: datetime
    gpus: int = 1

    @property
    def seconds(self) -> int:
        return int((self.ends_at - self.starts_at).total_seconds())

    def __str__(self) -> str:
        return f"{self.gpus} free from {self.starts_at:%Y-%m-%dT%H:%MZ} for {self.seconds} s"


@dataclass
class Search:
    """Everything a search consists of, checked."""

    terms: list[Term]
    order: list[Key]
    workload: Workload = field(default_factory=Workload)
    words: tuple[str, ...] = ()
    window: Window | None = None


@dataclass(frozen=True)
class Clause:
    """One condition in SQL, with its name for people."""

    sql: str
    label: str
    term: Term | None = None


class Statement:
    """Collects named parameters while the text is put together."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.params: dict[str, Any] = search.workload.params()

    def param(self, value: Any, cast: str) -> str:
        name = f"p{len(self.params)}"
        self.params[name] = value
        return f"%({name})s::{cast}"

    def clauses(self) -> list[Clause]:
        """The terms and the words; each may be judged by itself."""
        found = [Clause(self._condition(term), str(term), term) for term in self.search.terms]
        for word in self.search.words:
            pattern = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            found.append(Clause(f"words LIKE {self.param(pattern, 'text')}", f'text contains "{word}"'))
        return found

    def _condition(self, term: Term) -> str:
        sql, cast = term.field.sql, CASTS[term.field.kind]
        if term.op in ("in", "notin"):
            listed = self.param(list(term.value), f"{cast}[]")
            return f"{sql} = ANY({listed})" if term.op == "in" else f"{sql} <> ALL({listed})"
        if term.field.kind is Kind.FLAG:
            # A bare column, so that an index on it would be seen.
            return sql if term.value is (term.op == "==") else f"NOT {sql}"
        return f"{sql} {SIGNS.get(term.op, term.op)} {self.param(term.value, cast)}"

    def offered_then(self) -> list[Clause]:
        """Whether the offer may be booked for the requested time, by its own rules."""
        window = self.search.window
        if window is None:
            return []
        start, end = self.param(window.starts_at, "timestamptz"), self.param(window.ends_at, "timestamptz")
        seconds, gpus = self.param(window.seconds, "bigint"), self.param(window.gpus, "int")
        rules = (
            f"(gpu_count >= {gpus} AND {seconds} BETWEEN min_duration_s AND max_duration_s"
            f" AND available_from <= {start} AND (available_until IS NULL OR available_until >= {end}))"
        )
        return [Clause(rules, f"offered for {window.seconds} s then, {window.gpus} or more GPUs")]

    def free_then(self, window: Window) -> str:
        """Whether enough slots of the offer `ranked.id` are free: one look into the bookings' index per slot.

        The innermost query is a scalar one with a limit, so that no plan turns it into a join over all bookings.
        """
        span = self._span(window)
        return (
            f"(SELECT count(*) FROM {OFFERS} o CROSS JOIN unnest(o.slots) AS one(slot) WHERE o.id = ranked.id AND"
            f" (SELECT true FROM {SLICES} taken WHERE taken.live AND taken.slot = one.slot AND taken.period && {span}"
            f" LIMIT 1) IS NULL) >= {self.param(window.gpus, 'int')}"
        )

    def full_then(self, window: Window) -> str:
        """The ids of all offers that have not enough slots free: one pass, for explanations."""
        taken = f"SELECT DISTINCT slot FROM {SLICES} WHERE live AND period && {self._span(window)}"
        return (
            f"WITH busy AS MATERIALIZED ({taken}) SELECT o.id FROM {OFFERS} o CROSS JOIN unnest(o.slots) AS one(slot)"
            f" JOIN busy USING (slot) WHERE {SCOPE} GROUP BY o.id, o.gpu_count"
            f" HAVING o.gpu_count - count(*) < {self.param(window.gpus, 'int')}"
        )

    def _span(self, window: Window) -> str:
        return f"tstzrange({self.param(window.starts_at, 'timestamptz')}, {self.param(window.ends_at, 'timestamptz')})"

    def keys(self) -> list[str]:
        """What rows are sorted by: never null, so that pages can go on from any row."""
        return [_key(key) for key in self.search.order]

    def page(self, limit: int, after: Sequence[Any] | None) -> str:
        """Ids and sort keys of one page, from behind the row whose keys and id are given.

        Bookings are looked at last, in the order of the answer, until the page is full.
        """
        keys, window = self.keys(), self.search.window
        conditions = [clause.sql for clause in (*self.clauses(), *self.offered_then())]
        if after is not None:
            conditions.append(self._behind(keys, after))
        directions = ["DESC" if key.descending else "ASC" for key in self.search.order]
        named = [f"{key} AS k{at}" for at, key in enumerate(keys)]
        order = ", ".join([*(f"k{at} {way}" for at, way in enumerate(directions)), "id"])
        text = (
            f"SELECT {', '.join(['id', *named])} FROM {OFFERS} WHERE {' AND '.join([SCOPE, *conditions])}"
            f" ORDER BY {order}"
        )
        if window is not None:
            text = f"SELECT * FROM ({text} OFFSET 0) ranked WHERE {self.free_then(window)} ORDER BY {order}"
        return f"{text} LIMIT {self.param(limit, 'bigint')}"

    def _behind(self, keys: list[str], after: Sequence[Any]) -> str:
        """(a < x) or (a = x and b > y) …, and a plain bound on the first key for the index."""
        orders = [*self.search.order, None]
        casts = [
            CASTS[key.field.kind] if key.field.kind in (Kind.TEXT, Kind.AMOUNT) else "float8" for key in orders if key
        ]
        columns = [*keys, "id"]
        values = [self.param(value, cast) for value, cast in zip(after, [*casts, "uuid"], strict=True)]
        signs = ["<" if key and key.descending else ">" for key in orders]
        ways = [
            " AND ".join([*(f"{columns[j]} = {values[j]}" for j in range(i)), f"{columns[i]} {signs[i]} {values[i]}"])
            for i in range(len(columns))
        ]
        return f"{columns[0]} {signs[0]}= {values[0]} AND ({' OR '.join(f'({way})' for way in ways)})"


def _key(key: Key) -> str:
    sql, kind = key.field.sql, key.field.kind
    if kind is Kind.TEXT:
        return f'({sql}) COLLATE "C"'
    if kind is Kind.FLAG:
        return f"({sql})::int::float8"
    if kind is Kind.AMOUNT:
        return sql
    if not key.field.nullable:
        return sql if key.field.name in ("score", "reliability") else f"({sql})::float8"
    return f"coalesce(({sql})::float8, {-LAST if key.descending else LAST}::float8)"
