"""What can go wrong with accounts and keys."""

from __future__ import annotations

from aitbc.core.errors import Forbidden, Invalid, Unauthenticated


class KeyInvalid(Unauthenticated):
    """The API key is not valid."""


class KeyInQuery(Invalid):
    """An API key does not belong in a URL."""


class Banned(Forbidden):
    """The account is banned."""


class ScopesInvalid(Invalid):
    """The scopes of a key must be known ones, at least one."""


class NameMissing(Invalid):
    """An organisation needs a name."""


class OwnerUnknown(Invalid):
    """There is no such owner."""
