"""Celery entry points of marketplace: sweeps; each calls services, nothing else."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from aitbc.core import idempotency
from apps.marketplace.models import IdempotencyRecord
from apps.marketplace.services import (
    auction_clearing,
    availability,
    offer_refresh,
    price_updates,
    prices,
    quotes,
    reliability,
    sweeps,
)

ANSWERS_KEPT = timedelta(hours=48)


@shared_task
def record_asks() -> int:
    """Note what open offers ask, once an hour however often this is called."""
    return prices.record_asks(now=timezone.now())


@shared_task(soft_time_limit=840, time_limit=900)
def weigh_reliability() -> int:
    return reliability.weigh(now=timezone.now())


@shared_task
def move_prices() -> int:
    return price_updates.move_prices()


@shared_task
def run_bookings() -> int:
    """Start, meter and end bookings by the clock, and ask trading again where an answer is missing."""
    return sweeps.run()


@shared_task(soft_time_limit=840, time_limit=900)
def purge_idempotency_records() -> int:
    """Forget stored answers older than any client's retry, and quotes nobody used."""
    now = timezone.now()
    quotes.forget(before=now - quotes.KEPT)
    return idempotency.purge(IdempotencyRecord, before=now - ANSWERS_KEPT)


@shared_task
def close_auctions() -> int:
    """Clear auctions whose time is over, end bids and demands whose own is, follow awards to their end."""
    return auction_clearing.run()


@shared_task
def sweep_offers() -> int:
    """End offers whose time is over, and move offers in and out of booked out."""
    total = 0
    while ended := availability.expire(now=timezone.now()):
        total += ended
    return total + availability.settle()


@shared_task(soft_time_limit=840, time_limit=900)
def refresh_offers() -> int:
    """Bring what offers say up to date: scores age, and a fact may have been lost."""
    return offer_refresh.refresh_all()
