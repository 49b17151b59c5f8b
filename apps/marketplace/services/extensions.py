"""Extensions of bookings: the slots are taken at once, the end changes when the money is set aside."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from aitbc.core.db import atomic
from aitbc.core.errors import InsufficientFunds
from aitbc.core.messaging import emit
from aitbc.core.money import format_amount
from apps.marketplace.errors import BookingInvalid, ExtensionPending, OfferNotOpen, PriceMoved
from apps.marketplace.models import BookingExtension, GPUBooking
from apps.marketplace.models.offers import LISTED
from apps.marketplace.selectors import clock
from apps.marketplace.services import event_builders, slots, terms
from apps.marketplace.states import BookingState
from apps.trading.interface import available

if TYPE_CHECKING:
    from apps.trading.events import EscrowExtended, EscrowExtensionRefused

State = BookingExtension.State
EXTENSIBLE = (BookingState.RESERVED, BookingState.PROVISIONING, BookingState.ACTIVE)


def extend(
    *, booking: GPUBooking, seconds: int, actor: str, max_rate: int | None = None, now: datetime | None = None
) -> BookingExtension:
    """Request `seconds` more, at the booking's own price where the offer says so, else at the offer's present one.

    Returns the pending extension: its slots are taken now, the booking's end changes when trading has the money. Raises
    StateConflict, ExtensionPending, OfferNotOpen, BookingInvalid, SlotTaken (a later booking), PriceMoved when the
    price is above `max_rate` (micro-AIT per hour), InsufficientFunds; then nothing has changed.
    """
    now = now or clock.now()
    with atomic(GPUBooking):
        row = GPUBooking.objects.select_related("offer").locked_alone().get(pk=booking.pk)
        check(row, seconds, now)
        rate = rate_of(row, max_rate)
        amount = terms.extension_cost(rate, seconds * 1000)
        require_money(row, amount)
        extension = BookingExtension(booking=row, seconds=seconds, rate=rate, from_at=row.ends_at, amount=amount)
        slots.move_end(row, row.ends_at + timedelta(seconds=seconds))
        extension.save(force_insert=True)
        emit(event_builders.extension_requested(extension), by="marketplace")
    return extension


def check(booking: GPUBooking, seconds: int, now: datetime) -> None:
    """Raise StateConflict, ExtensionPending, OfferNotOpen or BookingInvalid unless the booking may be extended."""
    offer = booking.offer
    if booking.state not in EXTENSIBLE or booking.ends_at <= now:
        raise booking.conflict("extended")
    if booking.extensions.pending().exists():
        raise ExtensionPending()
    if not offer.extend_at_same_price and offer.state not in LISTED:
        raise OfferNotOpen(f"The offer is {offer.state}, so there is no price for more time.", state=offer.state)
    length = (booking.ends_at - booking.starts_at) // timedelta(seconds=1) + seconds
    if length > offer.max_duration_s:
        raise BookingInvalid(seconds=f"This offer is let for at most {offer.max_duration_s} seconds in all.")
    if offer.available_until and booking.ends_at + timedelta(seconds=seconds) > offer.available_until:
        raise BookingInvalid(seconds=f"The offer is available until {offer.available_until.isoformat()}.")


def rate_of(booking: GPUBooking, max_rate: int | None) -> int:
    """Return what more time costs in micro-AIT per hour. Raises PriceMoved."""
    offer, rate = booking.offer, int(booking.rate)
    if not offer.extend_at_same_price:
        storage = terms.storage_rate(booking.storage_gb, offer.price_storage_gb_month)
        rate = booking.gpu_count * offer.price_gpu_hour + storage
    if max_rate is not None and rate > max_rate:
        raise PriceMoved(f"More time costs {format_amount(rate)} AIT per hour now.", rate=format_amount(rate))
    return rate


def require_money(booking: GPUBooking, amount: int) -> None:
    """Raise InsufficientFunds when the renter cannot spend `amount` micro-AIT now; trading decides for good."""
    left = available(booking.renter_id)
    if left < amount:
        raise InsufficientFunds(
            f"The extension needs {format_amount(amount)} AIT; you have {format_amount(left)}.",
            needed=format_amount(amount), available=format_amount(left),
        )  # fmt: skip


def grant(events: Sequence[EscrowExtended]) -> None:
    """Mark extensions as paid, add their money to the booking's escrow, and move the end of a booking that still runs.

    Of a booking that is over only the escrow grows: its closing gives the money back. Repeated events change nothing.
    """
    with atomic(GPUBooking):
        for extension in pending_among(UUID(event.extension_id) for event in events):
            booking = extension.booking
            extension.state = State.HELD
            extension.save(update_fields=["state"])
            booking.escrow += extension.amount
            if booking.state in EXTENSIBLE:
                booking.ends_at = extension.until
            booking.save(update_fields=["ends_at", "escrow"])


def refuse(events: Sequence[EscrowExtensionRefused]) -> None:
    """Free the slots of extensions that cannot be paid for, from the previous end on."""
    with atomic(GPUBooking):
        for extension in pending_among(UUID(event.extension_id) for event in events):
            extension.state = State.REFUSED
            extension.save(update_fields=["state"])
            if extension.booking.state in EXTENSIBLE:
                slots.move_end(extension.booking, extension.booking.ends_at)


def pending_among(ids: object) -> list[BookingExtension]:
    """Return those of these extensions that wait for an answer, with their bookings locked."""
    extensions = list(BookingExtension.objects.pending().filter(pk__in=list(ids)).order_by("pk"))  # type: ignore[call-overload]
    bookings = {b.pk: b for b in GPUBooking.objects.filter(pk__in=[e.booking_id for e in extensions]).locked()}
    for extension in extensions:
        extension.booking = bookings[extension.booking_id]
    return extensions
