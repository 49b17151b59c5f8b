"""Deposits: money from outside the exchange, credited by an operator."""

from __future__ import annotations

from uuid import UUID

from aitbc.accounts.services import organisations
from aitbc.core.db import atomic
from aitbc.core.errors import Invalid
from aitbc.core.ids import uuid7
from apps.trading.models import Transfer
from apps.trading.services import ledger
from apps.trading.services.ledger import TransferRequest
from apps.trading.states import Code

#: A thousand million AIT: far above any real deposit, far below where sums leave 64 bits.
LARGEST = 10**15


def deposit(*, owner_id: UUID, amount: int, reason: str, actor: str, transfer_id: UUID | None = None) -> Transfer:
    """Credit an owner with `amount` micro-AIT; returns the transfer, which stores actor and reason for good.

    With a `transfer_id` made by the caller, a repetition changes nothing. Raises Invalid for an empty reason or an
    amount out of range, OwnerUnknown, TransferConflict for an id used otherwise.
    """
    if not reason.strip():
        raise Invalid("A deposit needs a reason.")
    if not 0 < amount <= LARGEST:
        raise Invalid("A deposit is more than zero and at most a thousand million AIT.")
    organisations.require(owner_id)
    request = TransferRequest(
        id=transfer_id or uuid7(),
        debit=ledger.EXTERNAL,
        credit=ledger.available_of(owner_id),
        amount=amount,
        code=Code.DEPOSIT,
        reason=reason.strip(),
    )
    with atomic(Transfer):
        ledger.post([request], actor=actor)
        return Transfer.objects.get(pk=request.id)
