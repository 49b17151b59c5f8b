"""Sweep of escrows and bonds: ends those whose booking or bid is over although the fact of it was lost.

Money held for what the marketplace has not known for a week goes back, as that of a job unknown to ai does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from aitbc.core.db import atomic
from apps.marketplace import interface as market
from apps.marketplace.events import BookingClosed
from apps.trading.models import Bond, Escrow
from apps.trading.services import bonds, escrow_endings
from apps.trading.services.payments import HOLD_TIME

SWEEP_ACTOR = "system:sweep"
PATIENCE = timedelta(minutes=1)
BATCH = 500


def reconcile(*, patience: timedelta = PATIENCE) -> int:
    """End escrows and bonds whose bookings and bids were over `patience` ago; returns how many were ended.

    It compares states with the marketplace, whatever was emitted, so a second run changes nothing.
    """
    now = timezone.now()
    before = now - patience
    ended = 0
    for booking_ids in chunks(Escrow.objects.held().filter(created_at__lt=before), "booking_id"):
        over = market.over(booking_ids, before=before)
        escrow_endings.close(over, actor=SWEEP_ACTOR)
        ended += len(over)
    for bond_ids in chunks(Bond.objects.held().filter(created_at__lt=before), "pk"):
        ended += release(market.bids_over(bond_ids))
    return ended + return_unknown(before=now - HOLD_TIME)


def return_unknown(*, before: datetime) -> int:
    """Close escrows and release bonds from before this time whose booking or bid the marketplace does not know.

    What a provider was paid already stays paid. Returns how many were ended.
    """
    ended = 0
    for booking_ids in chunks(Escrow.objects.held().filter(created_at__lt=before), "booking_id"):
        ended += close_as_paid(market.unknown(booking_ids))
    for bond_ids in chunks(Bond.objects.held().filter(created_at__lt=before), "pk"):
        ended += release(list(market.unknown(bond_ids)))
    return ended


def close_as_paid(booking_ids: Collection[UUID]) -> int:
    """Close the held escrows of these bookings with what is paid so far; returns how many."""
    with atomic(Escrow):
        events = [closed_as_paid(escrow) for escrow in Escrow.objects.held().of_bookings(booking_ids).locked()]
        escrow_endings.close(events, actor=SWEEP_ACTOR)
    return len(events)


def closed_as_paid(escrow: Escrow) -> BookingClosed:
    """The fact that a booking is over and owes no more than its escrow has paid."""
    return BookingClosed(
        booking_id=str(escrow.booking_id), renter_id=str(escrow.renter_id), provider_id=str(escrow.provider_id),
        miner_id="", gpu_ids=[], outcome="", slices=escrow.slices, owed=escrow.paid + escrow.fee, compensation=0, at="",
    )  # fmt: skip


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
