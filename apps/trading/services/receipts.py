"""Issuing receipts: what the exchange signs about work that is paid, in the transaction of the payment.

A job has one when it succeeded, or when a metered part of it was paid; a booking one per slice that was paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from aitbc.core import signing
from aitbc.core.aliases import alias
from aitbc.core.db import atomic
from aitbc.core.money import format_amount
from apps.trading.logic.commitments import input_hash, output_hash
from apps.trading.logic.settlement import PaidSlice, SettledPayment
from apps.trading.models import Receipt
from apps.trading.services import log
from apps.trading.states import CURRENCY

TAG = "aitbc.receipt.v1"
KIND = "receipt.job"
SLICE_TAG = "aitbc.slice-receipt.v1"
SLICE_KIND = "receipt.slice"


def issue(settlements: Sequence[SettledPayment]) -> list[Receipt]:
    """Sign, save and log the receipts of these jobs in the caller's transaction; returns the new ones.

    A job that has a receipt keeps it.
    """
    with atomic(Receipt):
        known = Receipt.objects.filter(job_id__in=[s.job_id for s in settlements]).values_list("job_id", flat=True)
        done, now = set(known), timezone.now()
        return save(KIND, [receipt_of(s, now) for s in settlements if s.job_id not in done])


def issue_slices(slices: Sequence[PaidSlice]) -> list[Receipt]:
    """Sign, save and log the receipts of slices whose transfers the caller posts in this transaction."""
    with atomic(Receipt):
        now = timezone.now()
        return save(SLICE_KIND, [receipt_of_slice(paid, now) for paid in slices])


def save(kind: str, receipts: Sequence[Receipt]) -> list[Receipt]:
    """Append signed receipts of one kind to the log and save them."""
    for receipt, leaf in zip(receipts, log.append(kind, [signed(r) for r in receipts]), strict=True):
        receipt.leaf = leaf
    return Receipt.objects.bulk_create(receipts)


def receipt_of(settled: SettledPayment, now: datetime) -> Receipt:
    """Return the signed receipt of a job, not saved yet."""
    receipt = Receipt(
        job_id=settled.job_id,
        owner_id=settled.owner_id,
        provider_id=settled.provider_id,
        miner_id=settled.miner_id,
        client_alias=alias("client", settled.owner_id),
        miner_alias=alias("miner", settled.miner_id) if settled.miner_id else "",
        opening=settled.opening,
        issued_at=now,
    )
    receipt.body = body_of(receipt, settled)
    receipt.signature = signing.sign(TAG, receipt.body)
    return receipt


def receipt_of_slice(paid: PaidSlice, now: datetime) -> Receipt:
    """Return the signed receipt of a slice, not saved yet."""
    receipt = Receipt(
        booking_id=paid.booking_id,
        slice=paid.number,
        owner_id=paid.renter_id,
        provider_id=paid.provider_id,
        client_alias=alias("client", paid.renter_id),
        issued_at=now,
    )
    receipt.body = slice_body_of(receipt, paid)
    receipt.signature = signing.sign(SLICE_TAG, receipt.body)
    return receipt


def body_of(receipt: Receipt, settled: SettledPayment) -> dict[str, Any]:
    """Return the fields that are signed: strings and whole numbers, which every JSON library writes alike."""
    return {
        "v": 1,
        "receipt_id": str(receipt.pk),
        "job": str(settled.job_id),
        "outcome": settled.outcome,
        "client": receipt.client_alias,
        "provider": alias("provider", settled.provider_id),
        "miner": receipt.miner_alias,
        "task_type": settled.task_type,
        "model": settled.model,
        "attempt": settled.attempt,
        "input_hash": input_hash(settled.opening),
        "output_hash": output_hash(settled.opening),
        "started": settled.started_at,
        "ended": settled.ended_at,
        "metered_ms": settled.metered_ms,
        "rate": format_amount(settled.rate),
        "price": format_amount(settled.paid + settled.fee),
        "fee": format_amount(settled.fee),
        "refunded": format_amount(settled.refunded),
        "currency": CURRENCY,
        "issued": signing.stamp(receipt.issued_at),
    }


def slice_body_of(receipt: Receipt, paid: PaidSlice) -> dict[str, Any]:
    """Return the fields that are signed of a slice; `total` is the price of the booking so far, this slice included."""
    return {
        "v": 1,
        "receipt_id": str(receipt.pk),
        "booking": str(paid.booking_id),
        "slice": paid.number,
        "client": receipt.client_alias,
        "provider": alias("provider", paid.provider_id),
        "price": format_amount(paid.paid + paid.fee),
        "fee": format_amount(paid.fee),
        "total": format_amount(paid.total),
        "currency": CURRENCY,
        "issued": signing.stamp(receipt.issued_at),
    }


def tag_of(receipt: Receipt) -> str:
    """Return the tag under which a receipt is signed."""
    return TAG if receipt.job_id else SLICE_TAG


def signed(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt with its signature, as its entry in the log carries it."""
    return {"receipt": receipt.body, "signature": receipt.signature}
