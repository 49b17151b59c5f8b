"""People who sign in."""

from __future__ import annotations

from typing import Any

from aitbc.accounts.models import User
from aitbc.accounts.services import audit, organisations
from aitbc.core.db import atomic


def register(*, username: str, password: str | None, email: str = "", actor: object = "system", **flags: Any) -> User:
    """Make a user and the personal organisation that goes with it; without a password nobody can sign in as them."""
    with atomic(User):
        user = User.objects.create_user(username=username, email=email, password=password, **flags)
        organisations.personal(user)
        audit.record(actor=actor, action="user.register", subject=user.pk, detail={"flags": sorted(flags)})
    return user


def ensure_admin(*, username: str, password: str) -> User:
    """The administrator of this name with this password, made or corrected; for a server's first start."""
    user = User.objects.filter(username=username).first()
    if user is None:
        return register(username=username, password=password, is_staff=True, is_superuser=True)
    if not user.check_password(password):
        with atomic(User):
            user.set_password(password)
            user.save(update_fields=["password"])
            audit.record(actor="system", action="user.password", subject=user.pk)
    return user
