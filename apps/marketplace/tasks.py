"""Celery entry points of marketplace: sweeps; each calls services, nothing else."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apps.marketplace.services import clearing, dynamic, prices, reliability


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
def close_auctions() -> int:
    """Clear auctions whose time is over, end bids and demands whose own is, follow awards to their end."""
    return clearing.run()
