"""Owners: making them, finding them, banning them."""

from __future__ import annotations

from django.utils import timezone

from aitbc.accounts.models import Membership, Organisation, User
from aitbc.accounts.services import audit
from aitbc.core.db import atomic


def named(name: str) -> Organisation:
    """The organisation of this name, made when there is none."""
    with atomic(Organisation):
        organisation, _ = Organisation.objects.get_or_create(name=name)
    return organisation


def personal(user: User) -> Organisation:
    """The user's own organisation, made when first asked for."""
    with atomic(Organisation):
        organisation = Organisation.objects.filter(person=user).first()
        if organisation is None:
            # A name already taken by somebody's organisation must not hand it to a newcomer.
            taken = Organisation.objects.filter(name=user.username).exists()
            name = f"{user.username[:110]} {user.pk}" if taken else user.username
            organisation = Organisation.objects.create(name=name, person=user)
            Membership.objects.create(user=user, organisation=organisation, role=Membership.Role.OWNER)
    return organisation


def ban(*, organisation: Organisation, reason: str, actor: object) -> None:
    """Ban an organisation: every request with its keys is 403 within a second."""
    with atomic(Organisation):
        Organisation.objects.filter(pk=organisation.pk).update(banned_at=timezone.now(), ban_reason=reason)
        audit.record(actor=actor, action="organisation.ban", subject=organisation.pk, reason=reason)
    organisation.refresh_from_db()


def unban(*, organisation: Organisation, reason: str, actor: object) -> None:
    """Lift the ban; its keys work again within a second."""
    with atomic(Organisation):
        Organisation.objects.filter(pk=organisation.pk).update(banned_at=None, ban_reason="")
        audit.record(actor=actor, action="organisation.unban", subject=organisation.pk, reason=reason)
    organisation.refresh_from_db()
