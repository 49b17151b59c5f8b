"""Jobs inside a booking: the renter's own jobs on the GPUs it has booked, paid for by the booking."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.ai.errors import BookingUnusable
from apps.ai.logic.requirements import Requirement
from apps.marketplace.interface import booking_of

RUNNING = ("active", "reclaiming")  # the marketplace's states in which the renter has the GPUs
FIELD = "constraints.booking_id"


def within_booking(owner_id: UUID, requirement: Requirement, *, paid: bool) -> Requirement:
    """Return the requirement, restricted to the miner of the booking it names, if it names one.

    Raises BookingUnusable when the booking is not the owner's, not running or without a registered miner, or when a
    payment is offered too.
    """
    booking_id = requirement.get("booking_id")
    if not booking_id:
        return requirement
    booking = booking_of(booking_id)
    if booking is None or booking.renter_id != owner_id:
        raise _unusable("There is no such booking of yours.")
    if booking.state not in RUNNING:
        raise _unusable(f"The booking is {booking.state}; jobs can be sent while it is active.", state=booking.state)
    if booking.miner_id is None:
        raise _unusable("No registered miner stands behind this booking, so the exchange cannot bring it jobs.")
    if paid:
        raise _unusable("The booking pays for the time: leave payment_amount out.")
    miner_id = str(booking.miner_id)
    if requirement.get("miner_id") not in (None, miner_id):
        raise _unusable(f"The booking is with miner {miner_id}: leave constraints.miner_id out.")
    return {**requirement, "miner_id": miner_id}


def _unusable(detail: str, **members: Any) -> BookingUnusable:
    return BookingUnusable(detail, errors=[{"field": FIELD, "message": detail}], **members)
