"""Level-triggered repair, each minute: an escrow or a bond whose reason is over is ended, should its fact be lost."""

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

JANITOR = "system:janitor"
PATIENCE = timedelta(minutes=1)
BATCH = 500


def reconcile(*, patience: timedelta = PATIENCE) -> int:
    """End what is still set aside for bookings and bids that were over before `patience` ago; returns how many."""
    before = timezone.now() - patience
    ended = 0
    for booking_ids in chunks(Escrow.objects.held().filter(created_at__lt=before), "booking_id"):
        over = market.over(booking_ids, before=before)
        escrow_endings.close(over, actor=JANITOR)
        ended += len(over)
    for bond_ids in chunks(Bond.objects.held().filter(created_at__lt=before), "pk"):
        ended += give_back(market.bids_over(bond_ids))
    return ended


def give_back(bond_ids: list[UUID]) -> int:
    with atomic(Bond):
        held = bonds.held_among(bond_ids)
        bonds.give_back(held, reason="its bid is over", actor=JANITOR)
    return len(held)


def chunks(rows: QuerySet[Any], field: str) -> Iterator[list[UUID]]:
    found = rows.order_by("pk").values_list(field, flat=True).iterator(chunk_size=BATCH)
    while chunk := list(islice(found, BATCH)):
        yield chunk
