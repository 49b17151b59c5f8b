"""Dividing what was held for a job; no database in here."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aitbc.core.money import fee_of, metered


@dataclass(frozen=True)
class Split:
    """The parts of an amount held: paid + fee + refunded is the whole, to the last micro-AIT."""

    paid: int
    fee: int
    refunded: int

    @property
    def cost(self) -> int:
        """What the client pays in all."""
        return self.paid + self.fee


def split(*, amount: int, rate: int, milliseconds: int, fee_bp: int) -> Split:
    """Divide `amount` between provider, exchange and client: metered work, never more than was held.

    cost = min(⌊rate × ms / 3,600,000⌋, amount); the fee is rounded half to even, the provider gets the rest of it.
    """
    cost = min(metered(max(rate, 0), max(milliseconds, 0)), amount)
    fee = fee_of(cost, fee_bp)
    return Split(paid=cost - fee, fee=fee, refunded=amount - cost)


@dataclass(frozen=True, kw_only=True)
class SettledPayment:
    """A job that was done and paid: all that its receipt says. Amounts are micro-AIT, times RFC 3339 as reported."""

    payment_id: UUID
    job_id: UUID
    owner_id: UUID
    provider_id: UUID
    miner_id: UUID
    task_type: str
    model: str
    attempt: int
    rate: int
    metered_ms: int
    started_at: str
    ended_at: str
    input_sha256: str
    output_sha256: str
    amount: int
    paid: int
    fee: int
    refunded: int
    currency: str
    transfer_ids: tuple[UUID, ...]
