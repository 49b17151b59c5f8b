"""Rows as people name them at the shell: owners by name, anything by its id or the beginning of it."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django.db.models import CharField, Model, QuerySet
from django.db.models.functions import Cast

from aitbc.accounts.errors import OwnerUnknown
from aitbc.accounts.models import Organisation
from aitbc.accounts.services import organisations
from aitbc.core.cli import program
from aitbc.core.cli.short_ids import BEGINNING, WHOLE, only
from aitbc.core.errors import NotFound

OWNER = "an owner's name, username or id, or the beginning of its id"
M = TypeVar("M", bound=Model)


def owner_of(text: str) -> Organisation:
    """The owner of this name, username or id. Raises OwnerUnknown; UsageError when several ids begin so."""
    if found := organisations.find(text):
        return found
    if not BEGINNING.fullmatch(text):
        listed = f"`{program.line('ledger owners')}` lists them"
        raise OwnerUnknown(f"No owner has the name, username or id {text!r}; {listed}.")
    return by_id(Organisation.objects.all(), "organisation", text)


def by_id(rows: QuerySet[M], what: str, text: str) -> M:
    """The row whose id is this text or begins so. Raises NotFound or Failure for none, UsageError for several."""
    if not BEGINNING.fullmatch(text):
        raise NotFound(f"{text!r} is not the id of a {what}.")
    if len(text) == WHOLE:
        known: set[Any] = set(rows.filter(pk=UUID(text)).values_list("pk", flat=True))
    else:
        ids = rows.annotate(text=Cast("id", CharField())).filter(text__startswith=text.lower())
        known = set(ids.values_list("pk", flat=True))
    return rows.get(pk=only({str(pk) for pk in known}, what, text))
