"""The text of a constraint, measured before it is parsed: its length, its tokens, its depth, and where strings end."""

from __future__ import annotations

import re
from collections.abc import Iterator

from apps.marketplace.errors import ConstraintInvalid

LENGTH = 2000
TOKENS = 200
DEPTH = 10
#: A string (escapes as the library pairs them), a name, a number, an operator; else one character.
TOKEN = re.compile(
    r"""(?P<text>[rR]?"(?:[^"\\\n]|\\[^\n])*"|[rR]?'(?:[^'\\\n]|\\[^\n])*')|(?P<space>\s+)|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<number>\d[\w.]*|\.\d\w*)|(?P<sign>&&|\|\||[<>=!]=|[-+*/!<>?:.,()\[\]])|(?P<other>.)""",
    re.ASCII | re.DOTALL,
)
NUMBER = re.compile(r"0[xX][0-9a-fA-F]{1,12}|\d{1,30}(\.\d{0,30})?([eE][-+]?\d{1,3})?|\.\d{1,30}([eE][-+]?\d{1,3})?")
#: The escapes the library pairs; another one it would read as a backslash and a character.
ESCAPES = re.compile(r"""\\(?:[abfnrtv"'\\]|[0-3][0-7]{2}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})""")
OPENING, CLOSING = frozenset("(["), frozenset(")]")


def scan(expression: str) -> None:
    """Check a text before it is parsed: length, tokens, nesting, strings that end. Raises ConstraintInvalid."""
    if len(expression) > LENGTH:
        raise ConstraintInvalid(f"It has {len(expression)} characters; at most {LENGTH} are allowed.")
    depth = unary = 0
    before = "("
    for count, found in enumerate(tokens(expression), 1):
        word = found[0]
        depth += (word in OPENING) - (word in CLOSING)
        unary = unary + 1 if word in ("!", "-") and before in "!-(" else 0
        if count > TOKENS or depth > DEPTH or unary > 2:
            raise refusal_at(
                expression, found.start(), f"too long or too deep (at most {TOKENS} tokens, {DEPTH} levels)"
            )
        before = word if len(word) == 1 else "x"


def tokens(expression: str) -> Iterator[re.Match[str]]:
    """Yield the tokens of the text. Raises ConstraintInvalid at what cannot be one."""
    before = ""
    for found in TOKEN.finditer(expression):
        kind = str(found.lastgroup)
        comment = expression.startswith("//", found.start())
        glued = kind == "text" and before in ("text", "name")  # a triple quote, bytes
        if comment or glued or not well_formed(kind, found[0]):
            raise refusal_at(expression, found.start(), f"{found[0][:20]!r} cannot be used here")
        before = kind
        if kind != "space":
            yield found


def well_formed(kind: str, word: str) -> bool:
    """Return whether a number has a usual size, and a string one end only (raw ones need no escapes)."""
    if kind == "number":
        return NUMBER.fullmatch(word) is not None
    if kind == "text":
        return word[0] in "rR" or "\\" not in ESCAPES.sub("", word)
    return kind != "other"


def refusal_at(expression: str, position: int, why: str) -> ConstraintInvalid:
    """Return the error for a position in the text."""
    line = expression.count("\n", 0, position) + 1
    column = position - (expression.rfind("\n", 0, position) + 1) + 1
    return refusal(expression, line, column, why)


def refusal(expression: str, line: int | None, column: int | None, why: str) -> ConstraintInvalid:
    """Return the error for a line and column."""
    place = f"line {line}, column {column}" if line and line > 0 else "the end"
    message = f"At {place}: {why}."
    return ConstraintInvalid(
        f"The constraint cannot be used. {message}", errors=[{"field": "constraints", "message": message}],
        line=line if line and line > 0 else None, column=column if line and line > 0 else None,
    )  # fmt: skip


def string_of(literal: str) -> str:
    """Return the value of a string literal, escapes resolved."""
    if literal[0] in "rR":
        return literal[2:-1]
    return re.sub(ESCAPES, lambda found: unescaped(found[0]), literal[1:-1])


def unescaped(escape: str) -> str:
    """Return the character an escape stands for."""
    plain = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
    letter = escape[1]
    if letter in "xu":
        return chr(int(escape[2:], 16))
    return chr(int(escape[1:], 8)) if letter.isdigit() else plain.get(letter, letter)
