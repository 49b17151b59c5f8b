"""Celery entry points of marketplace: sweeps; each calls services, nothing else."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.marketplace.services import availability, dynamic, listing, prices, reliability


@shared_task
def record_asks() -> int:
    """Note what open offers ask, once an hour however often this is called."""
    return prices.record_asks(now=timezone.now())


@shared_task
def weigh_reliability() -> int:
    return reliability.weigh(now=timezone.now())


@shared_task
def move_prices() -> int:
    return dynamic.move_prices()


@shared_task
def sweep_offers() -> int:
    """End offers whose time is over, and move offers in and out of booked out."""
    total = 0
    while ended := availability.expire(now=timezone.now()):
        total += ended
    return total + availability.settle()


@shared_task
def refresh_offers() -> int:
    """Bring what offers say up to date: scores age, and a fact may have been lost."""
    return listing.refresh_all()
