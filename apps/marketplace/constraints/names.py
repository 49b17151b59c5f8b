"""What a parsed constraint may name and do; everything else is refused with its place."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import re2
from lark import Token, Tree

from apps.marketplace.constraints.text import refusal, string_of
from apps.marketplace.errors import ConstraintInvalid

Fields = Mapping[str, frozenset[str]]
#: Regular expressions are literals, so that they are judged once, when the constraint is written.
PATTERN_LENGTH = 200
PATTERN_MEMORY = 1 << 20
#: Facts of free form: any name may follow.
FREE = frozenset({"attributes"})
FUNCTIONS = frozenset({"size", "startsWith", "endsWith", "contains", "matches"})
MACROS = frozenset({"exists", "all", "exists_one"})
REFUSED = {
    "map_lit": "maps",
    "member_object": "objects",
    "member_index": "indexes",
    "dot_ident": "names that begin with a dot",
    "dot_ident_arg": "names that begin with a dot",
}


class ExpressionValidator:
    """Walks over a parsed expression and refuses names, functions and forms that are not documented."""

    def __init__(self, expression: str, side: Fields) -> None:
        self.expression, self.side = expression, side
        self.bound: frozenset[str] = frozenset()

    def validate(self, tree: Tree[Token]) -> None:
        for node in tree.iter_subtrees_topdown():  # type: ignore[no-untyped-call]
            rule = str(node.data)
            if rule in REFUSED:
                raise self.refuse(node, f"{REFUSED[rule]} cannot be used here")
            handle = getattr(self, rule, None)
            if handle is not None:
                handle(node)

    def ident(self, node: Tree[Token]) -> None:
        self.known(node, str(node.children[0]))

    def member_dot(self, node: Tree[Token]) -> None:
        """`offer.gpu_ram`, `offer.attributes.any`: a variable and a field of it, or free form below one."""
        path = path_of(node)
        if path is None:
            raise self.refuse(node, "only facts have fields")
        root, field = path[0], path[1]
        self.known(node, root)
        if root in self.side and field not in self.side[root]:
            raise self.refuse(node, f"{root} has no {field}; {nearest(field, self.side[root])}")
        if root not in self.side or (len(path) > 2 and field not in FREE):
            raise self.refuse(node, "it has no fields")

    def ident_arg(self, node: Tree[Token]) -> None:
        name, operands = str(node.children[0]), arguments(node)
        if name == "has":
            if len(operands) != 1 or path_of(operands[0]) is None:
                raise self.refuse(node, "has() asks for one fact, such as has(offer.rating)")
        elif name != "size" or len(operands) != 1:
            raise self.refuse(node, f"there is no function {name}() of {len(operands)} arguments")

    def member_dot_arg(self, node: Tree[Token]) -> None:
        name, operands = str(node.children[1]), arguments(node)
        if name in MACROS:
            self.macro(node, operands)
        elif name not in FUNCTIONS or len(operands) != (0 if name == "size" else 1):
            raise self.refuse(node, f"there is no .{name}() of {len(operands)} arguments")
        elif name == "matches":
            self.pattern(node, operands[0])

    def macro(self, node: Tree[Token], operands: list[Tree[Token]]) -> None:
        """`demand.gpu_models.exists(m, m.startsWith("RTX"))`: over a fact, one level deep."""
        if path_of(node.children[0]) is None:
            raise self.refuse(node, "only a fact that is a list can be gone through")
        variable = lone(operands[0], "ident") if len(operands) == 2 else None
        if variable is None:
            raise self.refuse(node, "it takes a name and a condition")
        name = str(variable.children[0])
        within = [one for one in operands[1].iter_subtrees() if one.data == "member_dot_arg"]
        if name in self.side or any(str(one.children[1]) in MACROS for one in within):
            raise self.refuse(node, "conditions over lists are not nested, and their names are new ones")
        self.bound |= {name}

    def pattern(self, node: Tree[Token], operands: Tree[Token]) -> None:
        literal = lone(operands, "literal")
        if literal is None:
            raise self.refuse(node, "matches() takes a pattern written out")
        text = string_of(str(literal.children[0]))
        try:
            compiled(text)
        except (re2.error, ValueError):
            raise self.refuse(node, f"the pattern is not RE2, or larger than {PATTERN_LENGTH} characters") from None

    def known(self, node: Tree[Token], name: str) -> None:
        if name not in self.side and name not in self.bound:
            raise self.refuse(node, f"there is no {name}; {nearest(name, self.side)}")

    def refuse(self, node: Tree[Token], why: str) -> ConstraintInvalid:
        return refusal(self.expression, node.meta.line, node.meta.column, why)


def lone(node: Any, rule: str) -> Tree[Token] | None:
    """Return the one part of this kind that an expression consists of, through the grammar's layers, or None."""
    while isinstance(node, Tree) and node.data != rule and len(node.children) == 1:
        node = node.children[0]
    return node if isinstance(node, Tree) and node.data == rule else None


def path_of(node: Any) -> list[str] | None:
    """Return ["offer", "region"] for offer.region; None when it is anything else."""
    dotted = lone(node, "member_dot")
    if dotted is None:
        named = lone(node, "ident")
        return [str(named.children[0])] if named is not None else None
    before = path_of(dotted.children[0])
    return None if before is None else [*before, str(dotted.children[1])]


def arguments(node: Tree[Token]) -> list[Tree[Token]]:
    """Return the arguments of a call."""
    lists = [child for child in node.children if isinstance(child, Tree) and child.data == "exprlist"]
    return [child for one in lists for child in one.children if isinstance(child, Tree)]


def nearest(name: str, known: Any) -> str:
    """Return a hint at the nearest known name."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"


@lru_cache(maxsize=512)
def compiled(pattern: str) -> Any:
    """Compile an RE2 pattern within bounds. Raises re2.error, ValueError."""
    if len(pattern) > PATTERN_LENGTH:
        raise ValueError("too long")
    options = re2.Options()
    options.max_mem, options.log_errors = PATTERN_MEMORY, False
    return re2.compile(pattern, options)
