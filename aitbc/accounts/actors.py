"""Who is asking: the owner behind a key, as views and services see it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Actor:
    """The caller of one request; `pk` is the organisation that owns what the caller makes."""

    pk: UUID
    key_id: UUID
    key_prefix: str
    scopes: frozenset[str]
    name: str
    user_id: UUID | None = None

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def may(self, *scopes: str) -> bool:
        """Whether the key carries at least one of these scopes."""
        return not self.scopes.isdisjoint(scopes)

    def __str__(self) -> str:
        return f"{self.name} ({self.key_prefix})"


class Anonymous:
    """A caller without a key."""

    pk = None
    user_id = None
    key_id = None
    key_prefix = ""
    name = "anonymous"
    scopes: frozenset[str] = frozenset()
    is_authenticated = False
    is_active = False
    is_anonymous = True

    def may(self, *scopes: str) -> bool:
        return False

    def __str__(self) -> str:
        return self.name
