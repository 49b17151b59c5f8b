"""Invariant of deposits (docs/ledger.md): owners are never deleted, so it holds at every instant."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Exists, OuterRef

from aitbc.accounts.models import Organisation
from aitbc.core.invariants import invariant
from apps.trading.models import LedgerAccount, Transfer
from apps.trading.states import Code


@invariant("T10", db="trading")
def deposits_have_owners() -> Iterable[str]:
    """What came in, and was not reversed, belongs to an owner that exists."""
    reversed_ids = Transfer.objects.filter(code=Code.REVERSAL, ref=OuterRef("pk"))
    credited = Transfer.objects.deposits().exclude(Exists(reversed_ids)).values("credit_id")
    accounts = dict(LedgerAccount.objects.filter(pk__in=credited).values_list("owner_id", "pk"))
    known = set(Organisation.objects.filter(pk__in=accounts).values_list("pk", flat=True))
    for owner_id, pk in accounts.items():
        if owner_id not in known:
            yield f"account {pk} received a deposit for {owner_id}, who does not exist"
