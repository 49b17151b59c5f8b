"""Events about bookings, made from their rows, so that a lost one can be emitted again."""

from __future__ import annotations

from typing import Any

from apps.marketplace.events import (
    BookingClosed,
    BookingExtensionRequested,
    BookingMetered,
    BookingRequested,
    BookingReserved,
    BookingStarted,
)
from apps.marketplace.models import BookingExtension, GPUBooking


def requested(booking: GPUBooking, *, bond_from: str = "") -> BookingRequested:
    """Return the event that requests a booking's money; `bond_from` is the bid whose bond becomes the booking's."""
    return BookingRequested(
        booking_id=str(booking.pk), renter_id=str(booking.renter_id), provider_id=str(booking.provider_id),
        amount=booking.escrow, bond=booking.bond, fee_bp=booking.fee_bp, bond_from=bond_from,
    )  # fmt: skip


def extension_requested(extension: BookingExtension) -> BookingExtensionRequested:
    """Return the event that requests the money for an extension."""
    return BookingExtensionRequested(
        booking_id=str(extension.booking_id), extension_id=str(extension.pk),
        renter_id=str(extension.booking.renter_id), amount=extension.amount,
    )  # fmt: skip


def reserved(booking: GPUBooking) -> BookingReserved:
    """Return the event that a booking is paid for and waits for its time."""
    return BookingReserved(
        **_named(booking), starts_at=booking.starts_at.isoformat(), ends_at=booking.ends_at.isoformat()
    )


def started(booking: GPUBooking) -> BookingStarted:
    """Return the event that a booking is active."""
    assert booking.activated_at is not None
    return BookingStarted(**_named(booking), at=booking.activated_at.isoformat())


def metered(booking: GPUBooking, *, amount: int, until: str) -> BookingMetered:
    """Return the event of one slice of use, worth `amount` micro-AIT, up to the moment `until`."""
    return BookingMetered(booking_id=str(booking.pk), seq=booking.slices, amount=amount, owed=booking.owed, until=until)


def closed(booking: GPUBooking) -> BookingClosed:
    """Return the event that a booking is over."""
    assert booking.ended_at is not None
    return BookingClosed(
        **_named(booking), outcome=booking.outcome, slices=booking.slices, owed=booking.owed,
        compensation=booking.compensation, at=booking.ended_at.isoformat(),
    )  # fmt: skip


def _named(booking: GPUBooking) -> dict[str, Any]:
    """Who and what; an offer that no registered card backs has neither miner nor cards."""
    slots = booking.slot_slices.values_list("slot", flat=True) if booking.miner_id else ()
    return {
        "booking_id": str(booking.pk), "renter_id": str(booking.renter_id), "provider_id": str(booking.provider_id),
        "miner_id": str(booking.miner_id or ""), "gpu_ids": sorted(str(slot) for slot in slots),
    }  # fmt: skip
