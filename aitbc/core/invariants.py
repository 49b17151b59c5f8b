"""Invariants that must hold whatever happened: each is a function that yields its violations."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from aitbc.domains import LABELS

Check = Callable[[], Iterable[str]]


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
    for label in LABELS:
        name = f"apps.{label}.invariants"
        if spec := find_spec(name):
            for module in iter_modules(spec.submodule_search_locations, f"{name}."):
                import_module(module.name)
    return sorted(REGISTRY, key=lambda one: (one.name[0], int("".join(filter(str.isdigit, one.name)) or 0), one.db))


def run(only: Iterable[str] = (), *, online: bool = False) -> dict[Invariant, list[str]]:
    """Run the checks; returns the violations of each. `online` leaves out those that need quiet."""
    numbers = set(only)
    chosen = [one for one in load() if (not numbers or one.name in numbers) and not (online and one.quiescent)]
    return {one: list(one.check()) for one in chosen}
