"""Terms with known fields, right types and bounded sizes; and the order of the answer."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aitbc.core.money import format_amount, parse_amount
from apps.marketplace.errors import FilterInvalid
from apps.marketplace.search.fields import FIELDS, Field, Kind, Workload, folding
from apps.marketplace.search.grammar import Raw, parse

MOST_TERMS = 40
MOST_VALUES = 200
MOST_KEYS = 4
OPERATORS = ("==", "!=", "<", "<=", ">", ">=", "in", "notin")
DEFAULT_ORDER = "-score"
FLAGS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class Term:
    """One condition; a list's values are a tuple. Amounts are micro-AIT, texts folded."""

    field: Field
    op: str
    value: Any
    implied: bool = False

    def __str__(self) -> str:
        return f"{self.field.name} {self.op} {self.shown(self.value)}"

    def shown(self, value: Any) -> str:
        """A value of this field as the grammar writes it."""
        if isinstance(value, tuple):
            return f"[{', '.join(self.shown(one) for one in value)}]"
        if self.field.kind is Kind.AMOUNT:
            whole, _, part = format_amount(value).partition(".")
            return f"{whole}.{part.rstrip('0')}".rstrip(".")
        if self.field.kind is Kind.FLAG:
            return "true" if value else "false"
        if self.field.kind is Kind.NUMBER:
            return repr(value).removesuffix(".0")
        escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'


@dataclass(frozen=True)
class Key:
    """One field the answer is sorted by."""

    field: Field
    descending: bool

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.field.name}"


#: What a search means unless it says otherwise: naming the field in any term lifts it.
IMPLIED = (
    Term(FIELDS["rentable"], "==", True, implied=True),
    Term(FIELDS["booked"], "==", False, implied=True),
)


def read(text: str = "", terms: Iterable[Raw] = (), *, workload: Workload | None = None) -> list[Term]:
    """Return the terms of a filter string and of a list of (field, op, value), checked. Raises FilterInvalid."""
    raw = [*parse(text), *terms]
    if len(raw) > MOST_TERMS:
        raise FilterInvalid(f"{len(raw)} terms; at most {MOST_TERMS} are taken.")
    return [_checked(*one, workload or Workload()) for one in raw]


def with_implied(terms: Iterable[Term]) -> list[Term]:
    """Return the terms with those that are implied unless a term names their field."""
    explicit = list(terms)
    named = {term.field.name for term in explicit}
    return [*explicit, *(term for term in IMPLIED if term.field.name not in named)]


def read_order(text: str, workload: Workload) -> list[Key]:
    """Return the keys of `-score,dph`: commas between, `-` before or behind for descending. Raises FilterInvalid."""
    words = [word.strip() for word in text.split(",") if word.strip()] or [DEFAULT_ORDER]
    if len(words) > MOST_KEYS:
        raise FilterInvalid(f"{len(words)} fields to sort by; at most {MOST_KEYS} are taken.")
    keys = [Key(field_named(word.strip("+-"), workload), "-" in (word[0], word[-1])) for word in words]
    return list({key.field.name: key for key in reversed(keys)}.values())[::-1]


def field_named(name: str, workload: Workload) -> Field:
    """Return the field of this name or alias. Raises FilterInvalid, naming the nearest."""
    field = FIELDS.get(name.lower())
    if field is None:
        near = difflib.get_close_matches(name.lower(), FIELDS, n=1, cutoff=0.0)
        raise FilterInvalid(f"There is no field {name[:60]!r}; the nearest is {near[0]!r}.", field=name[:60])
    if field.needs_model and workload.model is None:
        raise FilterInvalid(f"{field.name} needs a language model: add model=….", field=field.name)
    return field


def _checked(name: str, op: str, value: Any, workload: Workload) -> Term:
    field = field_named(name, workload)
    op = {"=": "==", "not in": "notin"}.get(op, op)
    if op not in OPERATORS:
        raise FilterInvalid(f"{op!r} is no comparison; known are {' '.join(OPERATORS)}.", field=field.name)
    if op in ("<", "<=", ">", ">=") and not field.ordered:
        raise FilterInvalid(f"{field.name} is {field.kind.value}: it has no {op}.", field=field.name)
    if op not in ("in", "notin"):
        return Term(field, op, _converted(field, value))
    if not isinstance(value, (list, tuple)) or not value:
        raise FilterInvalid(f"{field.name} {op} takes a list of values in brackets.", field=field.name)
    if len(value) > MOST_VALUES:
        raise FilterInvalid(f"{len(value)} values for {field.name}; at most {MOST_VALUES}.", field=field.name)
    return Term(field, op, tuple(_converted(field, one) for one in value))


def _converted(field: Field, value: Any) -> Any:
    try:
        return CONVERTERS[field.kind](field, value)
    except (ValueError, ArithmeticError) as error:
        unit = f" ({field.unit})" if field.unit else ""
        detail = f"{field.name} is {field.kind.value}{unit}, not {str(value)[:60]!r}: {error}."
        raise FilterInvalid(detail, field=field.name) from None


def _number(field: Field, value: Any) -> float:
    if isinstance(value, (bool, list, tuple)) or not isinstance(value, (int, float, Decimal)):
        raise ValueError("write a number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("it is out of range")
    return number


def _amount(field: Field, value: Any) -> int:
    if isinstance(value, (bool, list, tuple)):
        raise ValueError("write an amount")
    return parse_amount(value if isinstance(value, (str, Decimal, int)) else Decimal(str(value)))


def _flag(field: Field, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in FLAGS:
        return FLAGS[value.lower()]
    raise ValueError("write true or false")


def _text(field: Field, value: Any) -> str:
    if isinstance(value, (bool, list, tuple)) or not isinstance(value, (str, int, float, Decimal)):
        raise ValueError("write a text")
    return folding(field)(str(value))


CONVERTERS = {Kind.NUMBER: _number, Kind.AMOUNT: _amount, Kind.FLAG: _flag, Kind.TEXT: _text}
