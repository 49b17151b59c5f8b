"""Owners for tests: organisations with a name of their own, and operators who are users."""

from __future__ import annotations

from uuid import UUID, uuid4

from aitbc.accounts.models import User
from aitbc.accounts.services import organisations, users
from tests.clients import Api


def new_owner() -> UUID:
    """The id of an owner who has nothing yet."""
    return organisations.named(f"owner {uuid4()}").pk


def operator(username: str) -> Api:
    """The caller with an operator's key of this user."""
    user = User.objects.filter(username=username).first() or users.register(username=username, password=None)
    return Api(user=user, scopes=("operator",))
