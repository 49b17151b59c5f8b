"""The filter string as people write it: `gpu_ram >= 8 dph < 1 gpu_model in ["RTX 4090", RTX_3090]`.

Terms stand beside each other or are joined by AND; all of them must hold.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken
from lark.exceptions import VisitError

from apps.marketplace.errors import FilterInvalid

LONGEST = 16_000
GRAMMAR = r"""
start: (term (_AND? term)*)?
term: NAME OP value -> compared
    | NAME _IN values -> within
    | NAME _NOT_IN values -> without
values: "[" (value ("," value)* ","?)? "]"
value: STRING -> quoted
     | NUMBER -> number
     | (NAME | WORD) -> word
OP: "==" | "!=" | "<=" | ">=" | "=" | "<" | ">"
_AND.3: /(?:and|&&)(?![\w.\-])/i
_NOT_IN.3: /not\s*in(?=\s*\[)/i
_IN.3: /in(?=\s*\[)/i
STRING: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/
NUMBER.2: /-?[0-9]+(?:\.[0-9]+)?(?![\w.])/
NAME.1: /[A-Za-z_][A-Za-z0-9_]*(?![\w.\-\/:+])/
WORD: /[^\s\[\]\"',<>=!&]+/
%import common.WS
%ignore WS
"""
EXPECTED = {
    "OP": "a comparison (== != < <= > >=)", "_IN": "in [", "_NOT_IN": "notin [", "NAME": "a name", "WORD": "a value",
    "NUMBER": "a number", "STRING": "a text in quotes", "LSQB": "[", "RSQB": "]", "COMMA": "a comma",
    "_AND": "AND", "$END": "the end",
}  # fmt: skip

Value = str | Decimal | list[Any]
Raw = tuple[str, str, Value]  # field, operator, value


class _Terms(Transformer[Token, list[Raw]]):
    def start(self, terms: list[Raw]) -> list[Raw]:
        return terms

    def compared(self, parts: list[Any]) -> Raw:
        name, sign, value = parts
        return str(name), "==" if sign == "=" else str(sign), value

    def within(self, parts: list[Any]) -> Raw:
        return str(parts[0]), "in", parts[1]

    def without(self, parts: list[Any]) -> Raw:
        return str(parts[0]), "notin", parts[1]

    def values(self, values: list[Any]) -> list[Any]:
        return values

    def quoted(self, parts: list[Token]) -> str:
        text, out, escaped = str(parts[0])[1:-1], [], False
        for letter in text:
            if letter == "\\" and not escaped:
                escaped = True
            else:
                out.append(letter)
                escaped = False
        return "".join(out)

    def number(self, parts: list[Token]) -> Decimal:
        return Decimal(str(parts[0]))

    def word(self, parts: list[Token]) -> str:
        return str(parts[0])


@cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=False)


def parse(text: str) -> list[Raw]:
    """Return the terms of a filter string as (field, operator, value). Raises FilterInvalid with the position."""
    if len(text) > LONGEST:
        raise FilterInvalid(f"The filter is longer than {LONGEST} characters; send it as terms by POST.")
    try:
        return _Terms().transform(_parser().parse(text))
    except UnexpectedInput as error:
        raise FilterInvalid(_complaint(text, error)) from None
    except (VisitError, InvalidOperation):
        raise FilterInvalid("A number of the filter is out of range.") from None


def _complaint(text: str, error: UnexpectedInput) -> str:
    names: set[str] = set()
    if isinstance(error, UnexpectedToken):
        names = set(error.accepts or error.expected)
    elif isinstance(error, UnexpectedCharacters):
        names = set(error.allowed or ())
    expected_words = sorted({EXPECTED[name] for name in names if name in EXPECTED})
    at = error.pos_in_stream if error.pos_in_stream is not None and error.pos_in_stream >= 0 else len(text)
    found = repr(text[at : at + 20]) if text[at : at + 20].strip() else "the end"
    if getattr(getattr(error, "token", None), "type", "") == "$END":
        at, found = len(text), "the end"
    found_text = f"At character {at + 1} stands {found}"
    return (
        f"{found_text}; expected {' or '.join(expected_words)}."
        if expected_words
        else f"{found_text}, which cannot be read."
    )
