"""Invariants that must hold whatever happened: each is a function that yields its violations."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from itertools import islice
from pkgutil import iter_modules
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from aitbc.domains import LABELS

log = logging.getLogger(__name__)

MOST_SHOWN, LONGEST_SHOWN = 4, 80
CHUNK = 1_000
Check = Callable[[], Iterable[str]]
Row = TypeVar("Row")


@dataclass(frozen=True)
class Invariant:
    """One numbered rule, and the domain whose rows it judges. docs/invariants.md lists the numbers."""

    name: str
    db: str
    check: Check
    quiescent: bool

    @property
    def meaning(self) -> str:
        return (self.check.__doc__ or self.check.__name__).strip().split("\n")[0]


REGISTRY: list[Invariant] = []


def invariant(name: str, *, db: str, quiescent: bool = False) -> Callable[[Check], Check]:
    """Register a check. `quiescent` ones compare two databases and hold only when nothing is under way."""

    def register(check: Check) -> Check:
        if not any(known.check is check for known in REGISTRY):
            REGISTRY.append(Invariant(name, db, check, quiescent))
        return check

    return register


def load() -> list[Invariant]:
    """Import every apps.<domain>.invariants and the core's own, and return all invariants in order of their numbers."""
    import_module("aitbc.core.messaging.invariants")
    import_module("aitbc.core.column_invariants")
    for label in LABELS:
        name = f"apps.{label}.invariants"
        if spec := find_spec(name):
            for module in iter_modules(spec.submodule_search_locations, f"{name}."):
                import_module(module.name)
    return sorted(REGISTRY, key=lambda one: (one.name[0], int("".join(filter(str.isdigit, one.name)) or 0), one.db))


def unknown(numbers: Iterable[str]) -> list[str]:
    """Return those of these numbers that no invariant has."""
    known = {one.name for one in load()}
    return sorted(set(numbers) - known)


def run(only: Iterable[str] = (), *, online: bool = False) -> dict[Invariant, list[str]]:
    """Run the checks; returns the violations of each. `online` leaves out those that need quiet.

    A check that cannot go on has that as its last violation; the others are run all the same.
    """
    numbers = set(only)
    chosen = [one for one in load() if (not numbers or one.name in numbers) and not (online and one.quiescent)]
    return {one: list(_violations(one)) for one in chosen}


def _violations(one: Invariant) -> Iterator[str]:
    try:
        yield from one.check()
    except Exception as error:  # whatever a surprising row does to a check, the audit goes on
        log.debug("invariant %s (%s) could not be checked", one.name, one.db, exc_info=True)
        yield f"it cannot be checked beyond {place_of(error)}: {why(error)}"


def each(rows: Iterable[Row], check: Callable[[Row], Iterable[str]]) -> Iterator[str]:
    """Yield the violations of check(row) for every row; a row whose check raises is one violation, and not the end."""
    for row in rows:
        try:
            yield from check(row)
        except Exception as error:  # whatever a surprising row does to a check, the rows after it are checked
            name = _shown(row) or place_of(error)
            log.debug("%s could not be checked", name, exc_info=True)
            yield f"{name} cannot be checked: {why(error)}"


def each_chunk(
    found: QuerySet[Any, Row], check: Callable[[list[Row]], Iterable[str]], *, size: int = CHUNK
) -> Iterator[str]:
    """Yield the violations of check(rows) for all rows of a query, which come in lists by primary key.

    Where a list cannot be read or checked, its rows are, one by one: so what no decoder reads is one violation, too.
    """
    keys = found.order_by("pk").values_list("pk", flat=True).iterator(size)
    while some := list(islice(keys, size)):
        violations: Iterable[str]
        try:
            violations = list(check(list(found.filter(pk__in=some).order_by("pk"))))
        except Exception:  # whatever it is, `each` names the row
            log.debug("%s: rows are checked one by one", found.model._meta.label, exc_info=True)
            violations = each([found.model(pk=pk) for pk in some], lambda row: check(list(found.filter(pk=row.pk))))
        yield from violations


def why(error: Exception) -> str:
    """Name an error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def place_of(error: Exception) -> str:
    """Name the row at which a check failed: the ids and other short values at hand in the check itself."""
    at_hand: dict[str, Any] = {}
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if ".invariants" in frame.f_globals.get("__name__", ""):
            at_hand = frame.f_locals
    shown = [f"{name} {_shown(value)}" for name, value in at_hand.items() if _shown(value)]
    return ", ".join(shown[:MOST_SHOWN]) or "its start"


def _shown(value: Any) -> str:
    if isinstance(value, Model):
        return f"{value._meta.label} {value.pk}"
    text = str(value) if isinstance(value, (UUID, str, int)) else ""
    return text if len(text) <= LONGEST_SHOWN else ""
