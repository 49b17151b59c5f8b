"""Two-way constraints: to whom an offer is let, and by whom a demand may be served, as CEL expressions.

A small part of CEL (https://github.com/google/cel-spec) in which everything ends soon: comparisons, logic, + - * /,
`in`, `has`, `size`, `startsWith`, `endsWith`, `contains`, `matches` (RE2: linear time), and `exists`, `all`,
`exists_one` over a fact that is a list, not nested. Every number is a double, so that 2 and 2.0 are the same. What is
unknown is absent: `has(x.y)` asks. The text is measured by a scanner of our own before the library sees it: the
library's lexer takes exponential time over a string that does not end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import celpy
from celpy import celtypes
from celpy.celparser import CELParseError
from celpy.evaluation import CELEvalError
from lark import Token, Tree
from lark.exceptions import LarkError

from apps.marketplace.constraints.names import ExpressionValidator, Fields, compiled
from apps.marketplace.constraints.text import refusal, scan
from apps.marketplace.errors import ConstraintInvalid

#: Facts that callers make up are cut to this before an expression walks over them.
ITEMS, TEXT = 50, 200

#: What an offer's constraint may name: who asks, and for what.
OFFER_SIDE: Fields = {
    "renter": frozenset({"id", "organisation", "rating", "bookings"}),
    "demand": frozenset({
        "gpu_count", "gpu_models", "min_memory_gb", "duration_s", "duration_hours", "budget_hour", "region", "auction",
    }),
}  # fmt: skip
#: What a demand's constraint may name: what is offered, and by whom.
DEMAND_SIDE: Fields = {
    "offer": frozenset({
        "id", "kind", "device", "gpu_name", "gpu_model", "gpu_count", "gpu_ram", "vendor", "architecture", "region",
        "price_gpu_hour", "min_duration_s", "max_duration_s", "reclaim_notice_s", "bandwidth_gbps", "fp32_tflops",
        "fp16_tflops", "tdp_w", "compute_capability", "cuda", "driver", "up_mbps", "down_mbps", "verified", "backed",
        "bonded", "benchmark", "reliability", "rating", "reviews", "score", "attributes",
    }),
    "provider": frozenset({"id", "organisation", "rating", "reviews", "bookings"}),
}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Whether a constraint admits the facts, and if not, why in words."""

    admits: bool
    reason: str = ""


def check(expression: str, side: Fields = OFFER_SIDE) -> None:
    """Raise ConstraintInvalid, with the position, unless this can be evaluated on that side; empty admits everybody."""
    if expression.strip():
        compiled_program(expression, tuple(sorted(side)))


def admits(expression: str, facts: Mapping[str, Any]) -> bool:
    """Return whether the facts (as OFFER_SIDE or DEMAND_SIDE names them) satisfy the expression; an error does not."""
    return verdict(expression, facts).admits


def verdict(expression: str, facts: Mapping[str, Any]) -> Verdict:
    """Evaluate an expression over the facts; whatever goes wrong in it is a reason, never an exception."""
    if not expression.strip():
        return Verdict(True)
    try:
        program = compiled_program(expression, tuple(sorted(facts)))
        found = program.evaluate({name: as_cel(value) for name, value in facts.items()})
    except ConstraintInvalid as error:
        return Verdict(False, f"the constraint cannot be used: {error.detail}")
    except (CELEvalError, RecursionError, ArithmeticError, TypeError, ValueError, KeyError) as error:
        return Verdict(False, f"the constraint has no answer here: {message_of(error)}")
    if not isinstance(found, celtypes.BoolType):
        return Verdict(False, "the constraint is neither true nor false")
    return Verdict(True) if found else Verdict(False, "the constraint is not met")


def message_of(error: BaseException) -> str:
    """Return the library's message without its internals."""
    message = str(error.args[0]) if error.args else type(error).__name__
    member = re.search(r"no such member in mapping: '(\w+)'", message)
    if member:
        return f"{member[1]} is not known"
    return (
        "its parts are of different kinds"
        if "overload" in message
        else message.split("(")[0].strip()[:120] or "an error"
    )


def as_cel(value: Any) -> Any:
    """Convert a fact to CEL: numbers are doubles, None is absent, free form is cut to size."""
    if isinstance(value, bool):
        return celtypes.BoolType(value)
    if isinstance(value, (int, float)):
        return celtypes.DoubleType(value)
    if isinstance(value, str):
        return celtypes.StringType(value[:TEXT])
    if isinstance(value, (list, tuple)):
        return celtypes.ListType([as_cel(item) for item in value[:ITEMS] if not isinstance(item, (list, tuple, dict))])
    if isinstance(value, Mapping):
        kept = [(name, item) for name, item in value.items() if item is not None][:ITEMS]
        return celtypes.MapType({celtypes.StringType(name): as_cel(item) for name, item in kept})
    return celtypes.StringType(str(value)[:TEXT])


@lru_cache(maxsize=1)
def environment() -> celpy.Environment:
    """Return the one CEL environment of this process."""
    made = celpy.Environment()
    made.annotations = {}  # protobuf's own types: nothing here may name them, and hashing them is half the cost
    return made


@lru_cache(maxsize=2048)
def compiled_program(expression: str, names: tuple[str, ...]) -> celpy.Runner:
    """Compile an expression over these variables. Raises ConstraintInvalid."""
    scan(expression)
    try:
        tree = environment().compile(expression)
    except CELParseError as error:
        raise refusal(expression, error.line, error.column, "the expression ends or goes on wrongly") from None
    except (LarkError, RecursionError, ValueError):
        raise ConstraintInvalid("The expression cannot be parsed.") from None
    side = {**OFFER_SIDE, **DEMAND_SIDE}
    ExpressionValidator(expression, {name: side[name] for name in names if name in side}).validate(tree)
    with_doubles(tree)
    return environment().program(tree, functions={"size": size, "matches": matches})


def with_doubles(tree: Tree[Token]) -> None:
    """Turn whole numbers into doubles, as the facts are: CEL compares only like with like."""
    for literal in tree.find_data("literal"):
        token = literal.children[0]
        if isinstance(token, Token) and token.type == "INT_LIT":
            base = 16 if token[:2] in ("0x", "0X") else 10
            literal.children[0] = token.update(type="FLOAT_LIT", value=repr(float(int(token, base))))


def matches(text: Any, pattern: Any) -> celtypes.BoolType:
    """Search a text for an RE2 pattern."""
    return celtypes.BoolType(compiled(str(pattern)).search(str(text)) is not None)


def size(value: Any) -> celtypes.DoubleType:
    """Return a length as a double."""
    return celtypes.DoubleType(len(value))
