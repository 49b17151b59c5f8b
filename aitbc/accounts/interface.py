"""Questions that domains may ask accounts: reads only, answered with frozen objects."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from aitbc.accounts.errors import OwnerUnknown
from aitbc.accounts.models import Organisation, User

FIND = "`manage.py ledger owners` lists all owners with their ids"


@dataclass(frozen=True, slots=True)
class Owner:
    """An organisation; `username` is that of the person whose own organisation it is."""

    id: UUID
    name: str
    username: str
    banned: bool


def owner(owner_id: UUID) -> Owner:
    """Return the owner of this id. Raises OwnerUnknown."""
    row = Organisation.objects.select_related("person").filter(pk=owner_id).first()
    if row is None:
        raise OwnerUnknown(f"No owner has the id {owner_id}; {FIND}.")
    return _owner(row)


def find_owner(text: str) -> Owner:
    """Return the owner of this name, username or id. Raises OwnerUnknown."""
    rows = Organisation.objects.select_related("person")
    row = rows.filter(name=text).first() or rows.filter(person__username=text).first()
    if row is None and (found := uuid_of(text)):
        row = rows.filter(pk=found).first()
    if row is None:
        raise OwnerUnknown(f"No owner has the name, username or id {text!r}; {FIND}.")
    return _owner(row)


def owners(text: str = "", *, limit: int = 1000) -> list[Owner]:
    """Return owners whose name or username contains this text, by name."""
    matching = Q(name__icontains=text) | Q(person__username__icontains=text)
    return [_owner(row) for row in Organisation.objects.select_related("person").filter(matching).order_by("name")[:limit]]


def user_id(username: str) -> UUID:
    """Return the id of the active user of this name. Raises OwnerUnknown."""
    found = User.objects.filter(username=username, is_active=True).values_list("pk", flat=True).first()
    if found is None:
        raise OwnerUnknown(f"No active user is called {username!r}; `manage.py createsuperuser` makes one.")
    return found


def uuid_of(text: str) -> UUID | None:
    """Return the text as a UUID, or None when it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _owner(row: Organisation) -> Owner:
    username = row.person.username if row.person else ""
    return Owner(id=row.pk, name=row.name, username=username, banned=row.banned_at is not None)
