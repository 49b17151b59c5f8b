"""Path converters: how a part of an address becomes an id."""

from __future__ import annotations

import re
from uuid import UUID

from django.urls import register_converter

CANONICAL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class IdConverter:
    """`<id:pk>`: a UUID. A malformed one is None, for which DomainViewSet answers as for an id that nothing has.

    Django's `<uuid:pk>` would find no route instead, and so answer before authentication that there is no such address.
    """

    regex = "[^/]+"

    def to_python(self, value: str) -> UUID | None:
        """Return the id, in either case of its digits; None when this is none."""
        return UUID(value) if CANONICAL.fullmatch(value) else None

    def to_url(self, value: object) -> str:
        """Return the id as reverse() writes it."""
        return str(value)


def register() -> None:
    """Make `id` known to path()."""
    register_converter(IdConverter, "id")
