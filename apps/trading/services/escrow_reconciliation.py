"""Sweep of escrows and bonds: ends those whose booking or bid is over although the fact of it was lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from aitbc.core.db import atomic
from apps.marketplace import interface as market
from apps.trading.models import Bond, Escrow
from apps.trading.services import bonds, escrow_endings

SWEEP_ACTOR = "system:sweep"
PATIENCE = timedelta(minutes=1)
BATCH = 500


def reconcile(*, patience: timedelta = PATIENCE) -> int:
    """End escrows and bonds whose bookings and bids were over `patience` ago; returns how many were ended.

    It compares states with the marketplace, whatever was emitted, so a second run changes nothing.
    """
    before = timezone.now() - patience
    ended = 0
    for booking_ids in chunks(Escrow.objects.held().filter(created_at__lt=before), "booking_id"):
        over = market.over(booking_ids, before=before)
        escrow_endings.close(over, actor=SWEEP_ACTOR)
        ended += len(over)
    for bond_ids in chunks(Bond.objects.held().filter(created_at__lt=before), "pk"):
        ended += release(market.bids_over(bond_ids))
    return ended


def release(bond_ids: list[UUID]) -> int:
    """Release those of these bonds that are still held; returns how many."""
    with atomic(Bond):
        held = bonds.held_among(bond_ids)
        bonds.release_held(held, reason="its bid is over", actor=SWEEP_ACTOR)
    return len(held)


def chunks(rows: QuerySet[Any], field: str) -> Iterator[list[UUID]]:
    """Yield the values of one column, in lists of at most BATCH."""
    found = rows.order_by("pk").values_list(field, flat=True).iterator(chunk_size=BATCH)
    while chunk := list(islice(found, BATCH)):
        yield chunk
