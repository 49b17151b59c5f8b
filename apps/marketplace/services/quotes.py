"""Quotes: a price the exchange keeps open for one renter for a minute, itemised and signed.

The signature is Ed25519 over the canonical JSON of the body, under the tag below; the keys are at
/.well-known/aitbc-keys.json, so that a renter can show later what it was promised.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Unpack
from uuid import UUID

from aitbc.core import params, signing
from aitbc.core.db import atomic
from aitbc.core.ids import uuid7
from aitbc.core.money import fee_of, format_amount, metered
from apps.marketplace.errors import QuoteExpired, QuoteUsed
from apps.marketplace.models import MarketplaceOffer, Quote
from apps.marketplace.selectors import clock
from apps.marketplace.services import terms
from apps.marketplace.services.terms import BookingRequest, Terms

TAG = "aitbc.quote.v1"
VALID = timedelta(seconds=60)
KEPT = timedelta(days=30)
CURRENCY = "AIT"


def make(
    *, offer: MarketplaceOffer, renter_id: UUID, now: datetime | None = None, **request: Unpack[BookingRequest]
) -> Quote:
    """Keep the present price open for a minute; returns the quote. It takes no slot: who books first has it.

    Raises SelfBooking, OfferNotOpen, MinerSilent, BookingInvalid, RenterRefused.
    """
    now = now or clock.now()
    agreed = terms.proposed(offer=offer, renter_id=renter_id, now=now, **request)
    quote = Quote(
        id=uuid7(), offer=offer, renter_id=renter_id, gpu_count=agreed.gpu_count, duration_s=agreed.duration_s,
        starts_at=None if agreed.instant else agreed.starts_at, storage_gb=agreed.storage_gb,
        price_gpu_hour=agreed.price_gpu_hour, price_storage_gb_month=offer.price_storage_gb_month,
        expires_at=now + VALID, created_at=now,
    )  # fmt: skip
    quote.body = body_of(quote, agreed)
    quote.signature = signing.sign(TAG, quote.body)
    with atomic(Quote):
        quote.save(force_insert=True)
    return quote


def body_of(quote: Quote, agreed: Terms) -> dict[str, Any]:
    """Return what is signed: every item and their sum, amounts as decimal strings of AIT."""
    gpus = min(agreed.escrow, metered(agreed.gpu_count * agreed.price_gpu_hour, agreed.milliseconds))
    rate_bp = params.get("market.fee_bp")
    return {
        "v": 1, "quote_id": str(quote.pk), "offer_id": str(agreed.offer.pk), "offer_revision": agreed.offer.revision,
        "renter_id": str(quote.renter_id), "currency": CURRENCY, "gpu_count": agreed.gpu_count,
        "duration_s": agreed.duration_s, "starts_at": signing.stamp(agreed.starts_at) if not agreed.instant else None,
        "items": [
            item("gpu", agreed.gpu_count, "gpu", agreed.price_gpu_hour, gpus),
            item("storage", agreed.storage_gb, "gb", agreed.offer.price_storage_gb_month, agreed.escrow - gpus),
        ],
        "rate_per_hour": format_amount(agreed.rate), "total": format_amount(agreed.escrow),
        "escrow": format_amount(agreed.escrow), "fee_bp": rate_bp,
        "fee": format_amount(fee_of(agreed.escrow, rate_bp)), "bond": format_amount(agreed.bond),
        "made_at": signing.stamp(quote.created_at), "expires_at": signing.stamp(quote.expires_at),
    }  # fmt: skip


def item(what: str, quantity: int, unit: str, price: int, amount: int) -> dict[str, Any]:
    """Return one line; `price` is micro-AIT per unit and hour for GPUs, per unit and month for storage."""
    per = "hour" if what == "gpu" else "month"
    return {
        "item": what, "quantity": quantity, "unit": unit, "price": format_amount(price), "per": per,
        "amount": format_amount(amount),
    }  # fmt: skip


def use(quote: Quote, *, now: datetime) -> Quote:
    """Mark a quote as used, in the caller's transaction, and return it. Raises QuoteExpired, QuoteUsed."""
    if quote.expires_at <= now:
        raise QuoteExpired(f"It was open until {quote.expires_at.isoformat()}.")
    if not Quote.objects.filter(pk=quote.pk, used_at=None).update(used_at=now):
        raise QuoteUsed()
    return quote


def forget(*, before: datetime, limit: int = 10_000) -> int:
    """Remove quotes that nobody used and that are long expired; return how many."""
    expired = (
        Quote.objects.filter(expires_at__lt=before, used_at=None).order_by("expires_at", "pk").values("pk")[:limit]
    )
    with atomic(Quote):
        deleted, _ = Quote.objects.filter(pk__in=list(expired.values_list("pk", flat=True)), used_at=None).delete()
    return deleted
