"""Owners: making them, finding them, banning them."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from aitbc.accounts.errors import NameMissing, OwnerUnknown
from aitbc.accounts.models import Membership, Organisation, User
from aitbc.accounts.services import audit
from aitbc.core.db import atomic


def named(name: str) -> Organisation:
    """The organisation of this name, made when there is none. Raises NameMissing for an empty name."""
    if not name.strip():
        raise NameMissing("An organisation needs a name.")
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


def require(owner_id: UUID) -> Organisation:
    """Return the owner of this id. Raises OwnerUnknown."""
    owner = Organisation.objects.filter(pk=owner_id).first()
    if owner is None:
        detail = f"No owner has the id {owner_id}."
        raise OwnerUnknown(detail, errors=[{"field": "owner_id", "message": detail}])
    return owner


def find(text: str) -> Organisation | None:
    """Return the owner of this name or username, None for nobody's. Raises OwnerUnknown where it is two owners'."""
    found = {owner.pk: owner for owner in Organisation.objects.filter(name=text)}
    found |= {own.pk: own for own in map(personal, User.objects.filter(username=text))}
    if len(found) > 1:
        either = " or ".join(map(str, found))
        raise OwnerUnknown(f"An organisation and a user are called {text!r}: name one by its id, {either}.")
    return next(iter(found.values()), None)


def containing(text: str) -> QuerySet[Organisation]:
    """Return the owners whose name or username contains this text, by name."""
    matching = Q(name__icontains=text) | Q(person__username__icontains=text)
    return Organisation.objects.select_related("person").filter(matching).order_by("name")


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
