"""What a party demands of the other, in CEL."""

from __future__ import annotations

import celpy

from aitbc.core.errors import Invalid


class ConstraintInvalid(Invalid):
    """The constraint is not CEL."""


def check(expression: str) -> None:
    """Refuse what cannot be compiled."""
    try:
        celpy.Environment().compile(expression)
    except celpy.CELParseError as error:
        raise ConstraintInvalid(f"It cannot be read: {str(error).splitlines()[0][:200]}") from None
