"""Running a search: one page of offers, and why there are not more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from aitbc.core.db import atomic, cursor
from aitbc.core.pagination import sealed, unsealed
from apps.marketplace.models import MarketplaceOffer
from apps.marketplace.search.fields import Kind
from apps.marketplace.search.statements import OFFERS, SCOPE, Clause, Search, Statement
from apps.marketplace.search.terms import Term


@dataclass(frozen=True)
class Page:
    """One page of offers, and the cursor of the next."""

    offers: list[MarketplaceOffer]
    next_cursor: str | None


@dataclass(frozen=True)
class Judgement:
    """One condition: how many offers it removes at all, and how many only it removes."""

    term: str
    removes: int
    removes_alone: int
    relaxed: str | None = None  # the least change of this one term that gives a result
    distance: float | None = None


@dataclass(frozen=True)
class Explanation:
    """How many offers match, and what each condition costs."""

    offers: int  # listed
    matches: int
    terms: list[Judgement] = field(default_factory=list)
    cheapest: Judgement | None = None
    fewest_in_the_way: int | None = None  # terms that the nearest offer fails


@contextmanager
def planned() -> Iterator[Any]:
    """A cursor whose plans keep to the indexes. All that a search asks for lies in one, but every booking touches the
    row of its offer, and until the next vacuum the planner then thinks that reading the whole table is as cheap."""
    with atomic(MarketplaceOffer), cursor(MarketplaceOffer) as sql:
        sql.execute("SET LOCAL enable_seqscan = off")
        yield sql


def find(search: Search, *, limit: int, cursor_token: str | None = None) -> Page:
    """Return one page in the search's order; as many statements for a long one as for a short one. Raises Invalid."""
    bound = _bound(search)
    after = unsealed(cursor_token, bound, len(search.order) + 1) if cursor_token else None
    statement = Statement(search)
    text = statement.page(limit + 1, after)
    with planned() as sql:
        sql.execute(text, statement.params)
        rows = sql.fetchall()
    known = MarketplaceOffer.objects.in_bulk([row[0] for row in rows[:limit]])
    # An offer that went between the two statements is simply not shown.
    offers = [known[row[0]] for row in rows[:limit] if row[0] in known]
    if len(rows) <= limit:
        return Page(offers, None)
    last, *keys = rows[limit - 1]
    return Page(offers, sealed([*keys, str(last)], bound))


def explain(search: Search) -> Explanation:
    """Judge every listed offer by every condition, in one pass over the search index."""
    statement = Statement(search)
    clauses, window = [*statement.clauses(), *statement.offered_then()], search.window
    full = "" if window is None else statement.full_then(window)
    judged_by = clauses if window is None else [*clauses, Clause("", str(window))]
    with planned() as sql:
        sql.execute(_explaining(clauses, full), statement.params)
        offers, matches, fewest, *columns_of_terms = sql.fetchone()
    judged = [_judged(clause, *columns_of_terms[3 * at : 3 * at + 3]) for at, clause in enumerate(judged_by)]
    possible = [one for one in judged if one.removes_alone]
    cheapest = min(possible, key=lambda one: (one.distance or 0, -one.removes_alone), default=None)
    return Explanation(offers, matches, judged, None if matches else cheapest, fewest)


def _explaining(clauses: list[Clause], full: str) -> str:
    """Innermost: each condition's verdict. Then how many fail, then the counts; `full` are the ids of full offers."""
    columns = []
    for at, clause in enumerate(clauses):
        columns.append(f"({clause.sql}) IS TRUE AS t{at}")
        if _is_widened(clause.term):
            columns.append(f"{clause.term.field.sql} AS v{at}")
    judged = f"SELECT {', '.join(['id', *columns])} FROM {OFFERS} WHERE {SCOPE}"
    terms: list[Clause | None] = list(clauses)
    if full:
        free = f"full_then.id IS NULL AS t{len(terms)}"
        judged = f"SELECT judged.*, {free} FROM ({judged}) judged LEFT JOIN ({full}) full_then USING (id)"
        terms.append(None)
    fails = " + ".join(["0", *(f"(NOT t{at})::int" for at in range(len(terms)))])
    columns_of_terms = [_term_columns(clause.term if clause else None, at) for at, clause in enumerate(terms)]
    counts = ", ".join(["count(*)", "count(*) FILTER (WHERE fails = 0)", "min(fails)", *columns_of_terms])
    return f"SELECT {counts} FROM (SELECT *, {fails} AS fails FROM ({judged}) looked) counted"


def _term_columns(term: Term | None, at: int) -> str:
    alone = f"fails = 1 AND t{at} IS FALSE"
    return f"count(*) FILTER (WHERE t{at} IS FALSE), count(*) FILTER (WHERE {alone}), {_nearest(term, at, alone)}"


def _is_widened(term: Term | None) -> TypeGuard[Term]:
    """Whether another value of the same term may help; the rest can only be left out."""
    return term is not None and term.op not in ("!=", "notin") and term.field.kind is not Kind.FLAG


def _nearest(term: Term | None, at: int, alone: str) -> str:
    """The value nearest to what the term asks for, of the offers that only it keeps out; text, for one type."""
    if not _is_widened(term):
        return "NULL::text"
    only = f"FILTER (WHERE {alone})"
    if term.field.ordered and term.op in ("<", "<="):
        return f"(min(v{at}) {only})::text"
    if term.field.ordered and term.op in (">", ">="):
        return f"(max(v{at}) {only})::text"
    if term.field.ordered and term.op == "==":
        aim = f"({term.value!r}::float8)"
        return f"((array_agg(v{at} ORDER BY abs(v{at} - {aim})) {only})[1])::text"
    return f"(mode() WITHIN GROUP (ORDER BY v{at}) {only})::text"


def _judged(clause: Clause, removes: int, alone: int, nearest: str | None) -> Judgement:
    term = clause.term
    if not alone:
        return Judgement(clause.label, removes, alone)
    if term is None or nearest is None:
        return Judgement(clause.label, removes, alone, f"leave out {clause.label}", 1.0)
    value: Any = {Kind.NUMBER: float, Kind.AMOUNT: int, Kind.TEXT: str}[term.field.kind](nearest)  # type: ignore[index]
    relaxed, distance = _relaxed(term, value)
    return Judgement(clause.label, removes, alone, str(relaxed), distance)


def _relaxed(term: Term, value: Any) -> tuple[Term, float]:
    """The term widened to let this value in, and its distance from the original (1: another kind of thing)."""
    if term.op == "in":
        return Term(term.field, "in", (*term.value, value)), 1.0
    if term.op == "==" and not term.field.ordered:
        return Term(term.field, "in", (term.value, value)), 1.0
    op = {"<": "<=", ">": ">="}.get(term.op, term.op)
    return Term(term.field, op, value), abs(value - term.value) / max(abs(term.value), abs(value), 1e-9)


def _bound(search: Search) -> str:
    """What a cursor belongs to: the same question."""
    window = search.window and (search.window.gpus, search.window.seconds)
    parts: Iterable[Any] = (*search.terms, "|", *search.order, "|", *search.words, "|", window, search.workload)
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]
