"""Facts of other domains that trading acts on, each passed to one service."""

from __future__ import annotations

from collections.abc import Sequence

from aitbc.core.messaging import subscribe
from apps.ai.events import JobCompleted, JobEnded, JobSubmitted
from apps.marketplace.events import (
    BondReleased,
    BondRequested,
    BookingClosed,
    BookingExtensionRequested,
    BookingMetered,
    BookingRequested,
    DemandAwarded,
)
from apps.trading.services import awards, bonds, escrow_endings, escrows, payments


@subscribe(JobSubmitted, by="trading")
def on_jobs_submitted(events: Sequence[JobSubmitted]) -> None:
    payments.hold(events)


@subscribe(JobCompleted, by="trading")
def on_jobs_completed(events: Sequence[JobCompleted]) -> None:
    payments.settle(events)


@subscribe(JobEnded, by="trading")
def on_jobs_ended(events: Sequence[JobEnded]) -> None:
    payments.refund(events)


@subscribe(BookingRequested, by="trading")
def on_bookings_requested(events: Sequence[BookingRequested]) -> None:
    escrows.fund(events)


@subscribe(BookingExtensionRequested, by="trading")
def on_extensions_requested(events: Sequence[BookingExtensionRequested]) -> None:
    escrows.extend(events)


@subscribe(BookingMetered, by="trading")
def on_bookings_metered(events: Sequence[BookingMetered]) -> None:
    escrows.accrue(events)


@subscribe(BookingClosed, by="trading")
def on_bookings_closed(events: Sequence[BookingClosed]) -> None:
    escrow_endings.close(events)


@subscribe(BondRequested, by="trading")
def on_bonds_requested(events: Sequence[BondRequested]) -> None:
    bonds.hold(events)


@subscribe(BondReleased, by="trading")
def on_bonds_released(events: Sequence[BondReleased]) -> None:
    bonds.release(events)


@subscribe(DemandAwarded, by="trading")
def on_demands_awarded(events: Sequence[DemandAwarded]) -> None:
    awards.note(events)
