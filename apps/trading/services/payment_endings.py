"""Ending a payment: the hold is posted or voided, the provider and the fee are paid, the rest is released."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.utils import timezone

from aitbc.core.db import cursor
from aitbc.core.states import advance_many
from apps.trading.logic.settlement import Split
from apps.trading.models import Payment
from apps.trading.services import ledger
from apps.trading.services.ledger import Account, TransferRequest
from apps.trading.states import Code, PaymentState, Phase


@dataclass(frozen=True)
class Closing:
    """How one payment ends: who is paid, and how the held amount is divided."""

    payment: Payment
    parts: Split
    provider_id: UUID | None = None
    miner_id: UUID | None = None

    @cached_property
    def transfers(self) -> list[TransferRequest]:
        """Return the transfers that resolve the hold and pay out all that is captured: the escrow account ends at 0."""
        payment, parts = self.payment, self.parts
        available, escrow = ledger.available_of(payment.owner_id), ledger.escrow_of(payment.owner_id)
        hold: dict[str, Any] = {"debit": available, "credit": escrow, "pending_id": payment.hold_id}
        if payment.hold_id is None:
            return []
        if not parts.cost:
            return [self.transfer(Code.RELEASE, payment.amount, phase=Phase.VOID, **hold)]
        requests = [self.transfer(Code.CAPTURE, parts.cost, phase=Phase.POST, **hold)]
        if parts.paid:
            assert self.provider_id, "a payment to a provider needs one"
            requests.append(
                self.transfer(Code.PAYOUT, parts.paid, debit=escrow, credit=ledger.available_of(self.provider_id))
            )
        if parts.fee:
            requests.append(self.transfer(Code.FEE, parts.fee, debit=escrow, credit=ledger.fees_for(payment.job_id)))
        return requests

    def transfer(self, code: Code, amount: int, *, debit: Account, credit: Account, **options: Any) -> TransferRequest:
        """Return one transfer of this payment, in the group `close:<job>`; its id is made from `<code>:<job>`."""
        job = self.payment.job_id
        return TransferRequest(
            id=ledger.name(f"{code.value}:{job}"),
            debit=debit,
            credit=credit,
            amount=amount,
            code=code,
            group_id=ledger.name(f"close:{job}"),
            ref=job,
            **options,
        )


DIVIDE = """
UPDATE trading_payment p SET paid = d.paid, fee = d.fee, refunded = d.refunded,
  provider_id = d.provider_id, miner_id = d.miner_id, ended_at = %s
FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[], %s::uuid[], %s::uuid[])
  AS d(id, paid, fee, refunded, provider_id, miner_id)
WHERE p.id = d.id
"""


def close(closings: Sequence[Closing], to: PaymentState, *, actor: str, reason: str) -> None:
    """Post the transfers of these closings and end their payments, which the caller has locked and found held."""
    if not closings:
        return
    ledger.post([transfer for closing in closings for transfer in closing.transfers], actor=actor)
    rows = [(c.payment.pk, c.parts.paid, c.parts.fee, c.parts.refunded, c.provider_id, c.miner_id) for c in closings]
    with cursor(Payment) as sql:
        sql.execute(DIVIDE, [timezone.now(), *(list(column) for column in zip(*rows, strict=True))])
    advance_many(Payment, [closing.payment.pk for closing in closings], to, actor=actor, reason=reason)
