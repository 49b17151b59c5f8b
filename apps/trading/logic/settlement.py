"""Dividing the amount held for a job between provider, exchange and client."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aitbc.core.money import fee_of, metered
from apps.trading.logic.commitments import Opening

#: The outcome on the receipt of a job that succeeded; receipts from before it was stated are of such jobs.
COMPLETED = "completed"


@dataclass(frozen=True)
class Split:
    """The parts of a held amount in micro-AIT; paid + fee + refunded is the whole."""

    paid: int
    fee: int
    refunded: int

    @property
    def cost(self) -> int:
        """What the client pays in all, in micro-AIT."""
        return self.paid + self.fee


def split(*, amount: int, rate: int, milliseconds: int, fee_bp: int) -> Split:
    """Divide `amount` micro-AIT held for metered work at `rate` micro-AIT per hour.

    cost = min(⌊rate × milliseconds / 3,600,000⌋, amount); fee = cost × fee_bp / 10⁴, rounded half to even;
    paid = cost − fee; refunded = amount − cost (docs/ledger.md). Negative rates and times count as 0.
    """
    cost = min(metered(max(rate, 0), max(milliseconds, 0)), amount)
    fee = fee_of(cost, fee_bp)
    return Split(paid=cost - fee, fee=fee, refunded=amount - cost)


@dataclass(frozen=True, kw_only=True)
class SettledPayment:
    """What the receipt of a job states. Amounts are micro-AIT, `rate` per hour, times RFC 3339 as reported.

    `outcome` is completed, or the state in which the job ended without a result.
    """

    outcome: str
    job_id: UUID
    owner_id: UUID
    provider_id: UUID
    miner_id: UUID | None
    task_type: str
    model: str
    attempt: int
    rate: int
    metered_ms: int
    started_at: str
    ended_at: str
    opening: Opening
    paid: int
    fee: int
    refunded: int


@dataclass(frozen=True, kw_only=True)
class PaidSlice:
    """What the receipt of a slice of a booking's use states: the parts of this slice, and the total so far."""

    booking_id: UUID
    number: int
    renter_id: UUID
    provider_id: UUID
    paid: int
    fee: int
    total: int
