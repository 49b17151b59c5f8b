"""The meaning of a search, in plain Python over offers in memory: what the SQL is held against (M7)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from apps.marketplace.search.fields import Kind, Workload, folding
from apps.marketplace.search.terms import Key, Term

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "in": lambda value, among: value in among, "notin": lambda value, among: value not in among,
}  # fmt: skip


def value_of(offer: Any, key: Term | Key, workload: Workload) -> Any:
    """Return a field's value in the form in which it is compared; None when it is not known."""
    value = key.field.read(offer, workload)
    return folding(key.field)(value) if key.field.kind is Kind.TEXT else value


def holds(term: Term, offer: Any, workload: Workload) -> bool:
    """Return whether an offer satisfies one term; what is not known satisfies none."""
    value = value_of(offer, term, workload)
    return value is not None and bool(COMPARE[term.op](value, term.value))


def matches(terms: Iterable[Term], offer: Any, workload: Workload | None = None, words: Sequence[str] = ()) -> bool:
    """Return whether an offer satisfies every term, and its text has every word."""
    scope = workload or Workload()
    return all(word in offer.words for word in words) and all(holds(term, offer, scope) for term in terms)


def arranged(offers: Iterable[Any], keys: Sequence[Key], workload: Workload) -> list[Any]:
    """Return the offers in order: by each key, what is not known last, and by id in the end."""
    rows = sorted(offers, key=lambda offer: offer.id)
    for key in reversed(keys):
        values = {offer.id: value_of(offer, key, workload) for offer in rows}
        known = [offer for offer in rows if values[offer.id] is not None]
        rest = [offer for offer in rows if values[offer.id] is None]
        # A stable sort that is reversed keeps equals in their order.
        rows = sorted(known, key=lambda offer: values[offer.id], reverse=key.descending) + rest
    return rows
