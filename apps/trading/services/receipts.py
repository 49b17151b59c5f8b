"""Issuing receipts: what the exchange signs about a job that is done and paid."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from aitbc.core import signing
from aitbc.core.aliases import alias
from aitbc.core.db import atomic
from aitbc.core.ids import uuid7
from aitbc.core.money import format_amount
from apps.trading.logic.settlement import SettledPayment
from apps.trading.models import Receipt
from apps.trading.services import log

TAG = "aitbc.receipt.v1"
KIND = "receipt.job"


def issue(settlements: Sequence[SettledPayment]) -> list[Receipt]:
    """Sign, save and log the receipts of these jobs in the caller's transaction; returns the new ones.

    A job that has a receipt keeps it.
    """
    with atomic(Receipt):
        known = Receipt.objects.filter(job_id__in=[s.job_id for s in settlements]).values_list("job_id", flat=True)
        done, now = set(known), timezone.now()
        fresh = [receipt_of(s, now) for s in settlements if s.job_id not in done]
        for receipt, leaf in zip(fresh, log.append(KIND, [signed(r) for r in fresh]), strict=True):
            receipt.leaf = leaf
        return Receipt.objects.bulk_create(fresh)


def receipt_of(settled: SettledPayment, now: datetime) -> Receipt:
    """Return a signed receipt, not saved yet."""
    receipt_id = uuid7()
    body = body_of(receipt_id, settled, now)
    return Receipt(
        id=receipt_id,
        job_id=settled.job_id,
        owner_id=settled.owner_id,
        provider_id=settled.provider_id,
        miner_id=settled.miner_id,
        client_alias=body["client"],
        body=body,
        signature=signing.sign(TAG, body),
        issued_at=now,
    )


def body_of(receipt_id: UUID, settled: SettledPayment, now: datetime) -> dict[str, Any]:
    """Return the fields that are signed: strings and whole numbers, which every JSON library writes alike."""
    return {
        "v": 1,
        "receipt_id": str(receipt_id),
        "job": str(settled.job_id),
        "client": alias("client", settled.owner_id),
        "provider": alias("provider", settled.provider_id),
        "miner": str(settled.miner_id),
        "task_type": settled.task_type,
        "model": settled.model,
        "attempt": settled.attempt,
        "input_hash": settled.input_sha256,
        "output_hash": settled.output_sha256,
        "started": settled.started_at,
        "ended": settled.ended_at,
        "metered_ms": settled.metered_ms,
        "rate": format_amount(settled.rate),
        "price": format_amount(settled.paid + settled.fee),
        "fee": format_amount(settled.fee),
        "refunded": format_amount(settled.refunded),
        "currency": settled.currency,
        "issued": signing.stamp(now),
    }


def signed(receipt: Receipt) -> dict[str, Any]:
    """Return a receipt with its signature, as its entry in the log carries it."""
    return {"receipt": receipt.body, "signature": receipt.signature}
