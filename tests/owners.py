"""Owners for tests: organisations with a name of their own."""

from __future__ import annotations

from uuid import UUID, uuid4

from aitbc.accounts.services import organisations


def new_owner() -> UUID:
    """The id of an owner who has nothing yet."""
    return organisations.named(f"owner {uuid4()}").pk
