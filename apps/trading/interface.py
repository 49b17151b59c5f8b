"""Questions that other domains may ask trading: reads only, answered with frozen objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Count, Sum

from apps.trading.models import Escrow as EscrowRow
from apps.trading.models import LedgerAccount, Receipt
from apps.trading.models import Payment as PaymentRow
from apps.trading.selectors import legacy_receipts
from apps.trading.states import AccountKind


@dataclass(frozen=True, kw_only=True)
class Payment:
    """The payment of one job, in micro-AIT; `paid` is the provider's part, after the fee."""

    id: UUID
    job_id: UUID
    owner_id: UUID
    state: str
    amount: int
    paid: int
    fee: int
    refunded: int
    provider_id: UUID | None
    miner_id: UUID | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Earnings:
    """What a provider earned between two moments, in micro-AIT, after fees."""

    paid: int
    fee: int
    jobs: int
    by_miner: dict[UUID, int]


@dataclass(frozen=True, kw_only=True)
class ReceiptView:
    """A receipt as it was signed; the bundle that proves it is at /trading/receipts/{receipt_id}/bundle."""

    receipt_id: UUID
    job_id: UUID
    issued_at: datetime
    receipt: dict[str, Any]
    signature: dict[str, str]
    tx_hash: str


@dataclass(frozen=True, kw_only=True)
class EscrowView:
    """The money of one booking, in micro-AIT: amount = paid + fee + refunded + what is still set aside.

    `slices` counts the metered slices of use paid so far.
    """

    booking_id: UUID
    renter_id: UUID
    provider_id: UUID
    state: str
    amount: int
    paid: int
    fee: int
    refunded: int
    slices: int


def available(owner_id: UUID) -> int:
    """Return what an owner may spend now, in micro-AIT; 0 without an account."""
    account = LedgerAccount.objects.owned_by(owner_id).of_kind(AccountKind.AVAILABLE).first()
    return account.available if account else 0


def payment_of(job_id: UUID) -> Payment | None:
    """Return the payment of a job, or None before its hold was decided."""
    return next(iter(payments_of([job_id])), None)


def payments_of(job_ids: Iterable[UUID]) -> list[Payment]:
    """Return the payments of these jobs; jobs without one are left out."""
    rows = PaymentRow.objects.filter(job_id__in=list(job_ids))
    return [Payment(**{name: getattr(row, name) for name in Payment.__dataclass_fields__}) for row in rows]


def escrows_of(booking_ids: Iterable[UUID]) -> dict[UUID, EscrowView]:
    """Return the escrows of these bookings, by booking id; bookings that trading has not heard of are left out."""
    rows = EscrowRow.objects.of_bookings(booking_ids)
    names = EscrowView.__dataclass_fields__
    return {row.booking_id: EscrowView(**{name: getattr(row, name) for name in names}) for row in rows}


def open_holds(*, before: datetime, limit: int = 1000) -> list[UUID]:
    """Return the ids of jobs whose money has been held since before this time, oldest first; ai reconciles those that
    are over."""
    held = PaymentRow.objects.held().filter(created_at__lt=before).order_by("created_at", "pk")
    return list(held.values_list("job_id", flat=True)[:limit])


def earnings(provider_id: UUID, miner_id: UUID | None, since: datetime | None, until: datetime | None) -> Earnings:
    """Return what a provider (or one of its miners) was paid for jobs that ended in [since, until); None: no limit."""
    rows = PaymentRow.objects.earned_by(provider_id, miner_id).ended_between(since, until)
    total = rows.aggregate(paid=Sum("paid", default=0), fee=Sum("fee", default=0), jobs=Count("pk"))
    by_miner = dict(rows.order_by().values_list("miner_id").annotate(Sum("paid")))
    return Earnings(paid=int(total["paid"]), fee=int(total["fee"]), jobs=total["jobs"], by_miner=by_miner)


def receipt_of(job_id: UUID) -> ReceiptView | None:
    """Return the receipt of a job, or None while there is none."""
    row = Receipt.objects.for_job(job_id).first()
    if row is None:
        return None
    return ReceiptView(
        receipt_id=row.pk, job_id=row.subject_id, issued_at=row.issued_at, receipt=row.body, signature=row.signature,
        tx_hash=row.leaf,
    )  # fmt: skip


def receipt_owners(job_ids: Iterable[UUID]) -> dict[UUID, tuple[UUID, UUID]]:
    """Return the receipt's id and owner of each of these jobs, by job id; jobs without a receipt are left out."""
    rows = Receipt.objects.filter(job_id__in=list(job_ids)).values_list("job_id", "pk", "owner_id")
    return {job_id: (receipt_id, owner_id) for job_id, receipt_id, owner_id in rows if job_id}


def legacy_receipt_of(job_id: UUID) -> dict[str, Any] | None:
    """Return the receipt of a job in the legacy format 1.0, signed by the same key, or None while there is none."""
    row = Receipt.objects.for_job(job_id).first()
    return legacy_receipts.render(row) if row else None
