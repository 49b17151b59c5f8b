"""Bookings as their parties make and end them: book, cancel, reclaim, end.

Each verb locks the booking's row first; money changes hands in trading, by the events emitted here. Locks: bookings,
then offers.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Unpack
from uuid import UUID

from aitbc.core import params
from aitbc.core.db import atomic
from aitbc.core.errors import InsufficientFunds
from aitbc.core.ids import uuid7
from aitbc.core.messaging import emit
from aitbc.core.money import format_amount
from aitbc.core.states import begin
from apps.marketplace.errors import BondMissing, NoticeTooShort
from apps.marketplace.logic.durations import whole_ms
from apps.marketplace.models import GPUBooking, MarketplaceOffer, Quote
from apps.marketplace.selectors import clock
from apps.marketplace.services import event_builders, quotes, slots, terms
from apps.marketplace.services.booking_endings import Ending, finish
from apps.marketplace.services.terms import AwardTerms, BookingRequest, Terms
from apps.marketplace.states import LIVE, RUNNING, BookingState, OfferState
from apps.trading.interface import available


def book(
    *, offer: MarketplaceOffer, renter_id: UUID, actor: str, quote: Quote | None = None,
    award: AwardTerms | None = None, now: datetime | None = None, **request: Unpack[BookingRequest],
) -> GPUBooking:  # fmt: skip
    """Take the slots for a renter, request the money from trading, and return the booking.

    Without `starts_at` it begins as soon as the money is set aside. With a quote, its terms count (and `request` is
    ignored). Raises SelfBooking, OfferNotOpen, MinerSilent, BookingInvalid, RenterRefused, SlotTaken,
    InsufficientFunds, BondMissing, QuoteExpired, QuoteUsed.
    """
    now = now or clock.now()
    bid_id = award.bid_id if award else None
    with atomic(GPUBooking):
        if quote is not None:
            agreed = terms.quoted(quotes.use(quote, now=now), now=now)
        else:
            agreed = terms.proposed(offer=offer, renter_id=renter_id, now=now, award=award, **request)
        require_money(agreed, bid_id=bid_id)
        booking = booking_of(agreed, quote=quote)
        slots.take(booking.pk, agreed.offer, agreed.gpu_count, booking.starts_at, booking.ends_at)
        begin(booking, actor=actor)
        emit(event_builders.requested(booking, bond_from=str(bid_id or "")), by="marketplace")
    return booking


def require_money(agreed: Terms, *, bid_id: UUID | None) -> None:
    """Raise InsufficientFunds or BondMissing at once; trading decides for good.

    The bond of a winning bid (`bid_id`) is set aside already.
    """
    left = available(agreed.renter_id)
    if left < agreed.escrow:
        raise InsufficientFunds(
            f"The booking needs {format_amount(agreed.escrow)} AIT; you have {format_amount(left)}.",
            needed=format_amount(agreed.escrow), available=format_amount(left),
        )  # fmt: skip
    if agreed.bond and bid_id is None and available(agreed.offer.provider_id) < agreed.bond:
        raise BondMissing("Its provider cannot cover the bond of this booking now; book a smaller one, or elsewhere.")


def booking_of(agreed: Terms, *, quote: Quote | None) -> GPUBooking:
    """Return an unsaved booking on these terms, with the fee and the minimum charge of this moment."""
    offer = agreed.offer
    return GPUBooking(
        id=uuid7(), offer=offer, demand=agreed.demand, quote=quote, renter_id=agreed.renter_id,
        provider_id=offer.provider_id, miner_id=offer.miner_id if offer.backed else None, gpu_count=agreed.gpu_count,
        gpu_model=offer.gpu_model or offer.gpu_name, region=offer.region, kind=offer.kind, rate=agreed.rate,
        price_gpu_hour=agreed.price_gpu_hour, storage_gb=agreed.storage_gb, fee_bp=params.get("market.fee_bp"),
        min_charge_s=params.get("market.min_charge_s"), starts_at=agreed.starts_at, ends_at=agreed.ends_at,
        escrow=agreed.escrow, bond=agreed.bond,
    )  # fmt: skip


def cancel(
    *, booking: GPUBooking, party_id: UUID, actor: str, reason: str = "", now: datetime | None = None
) -> GPUBooking:
    """End a booking for one of its parties, at any time before it is over, and return it.

    A renter pays what was used, once active at least the minimum charge; a provider's bond pays the renter up to an
    hour's price. What is not used goes back. Raises StateConflict when it is over already.
    """
    by_provider = party_id == booking.provider_id
    to = BookingState.CANCELLED_PROVIDER if by_provider else BookingState.CANCELLED_RENTER
    return _end(booking, to, actor=actor, reason=reason, least=not by_provider, now=now)


def end(*, booking: GPUBooking, actor: str, now: datetime | None = None) -> GPUBooking:
    """End a running booking for its renter and return it. Raises StateConflict.

    The renter pays what was used, at least the minimum charge.
    """
    return _end(booking, BookingState.ENDED, actor=actor, reason="ended by its renter", least=True, now=now)


def _end(
    booking: GPUBooking, to: BookingState, *, actor: str, reason: str, least: bool, now: datetime | None
) -> GPUBooking:
    now = now or clock.now()
    with atomic(GPUBooking):
        row = GPUBooking.objects.locked().get(pk=booking.pk)
        if to not in row.TRANSITIONS[row.state]:
            raise row.conflict(to)
        least_ms = row.min_charge_s * 1000 if least and row.state in RUNNING else 0
        at = min(now, row.ends_at) if row.state in RUNNING else now
        finish([Ending(booking=row, at=at, least_ms=least_ms)], to, actor=actor, reason=reason)
    return GPUBooking.objects.get(pk=booking.pk)


def reclaim(
    *, booking: GPUBooking, actor: str, at: datetime | None = None, reason: str = "", now: datetime | None = None
) -> GPUBooking:
    """Announce that the provider takes its GPUs back, pause the offer, and return the booking.

    It runs until the deadline, at least the offer's notice away, and market.reclaim_min_s. Raises NoticeTooShort, and
    StateConflict when the booking is not active or ends by itself before then.
    """
    now = now or clock.now()
    with atomic(GPUBooking):
        row = GPUBooking.objects.select_related("offer").locked_alone().get(pk=booking.pk)
        if BookingState.RECLAIMING not in row.TRANSITIONS[row.state]:
            raise row.conflict(BookingState.RECLAIMING)
        deadline = deadline_of(row, at, now)
        slots.move_end(row, deadline)
        row.advance(BookingState.RECLAIMING, actor=actor, reason=reason, reclaim_at=deadline, ends_at=deadline)
        pause(row.offer_id, actor=actor)
    return row


def deadline_of(booking: GPUBooking, at: datetime | None, now: datetime) -> datetime:
    """Return when a reclaimed booking ends. Raises NoticeTooShort."""
    notice = max(booking.offer.reclaim_notice_s, params.get("market.reclaim_min_s"))
    soonest = now + timedelta(seconds=notice)
    deadline = soonest if at is None else whole_ms(at)
    if deadline < soonest:
        raise NoticeTooShort(
            f"This offer promises {notice} seconds of notice: {soonest.isoformat()} or later.",
            errors=[{"field": "at", "message": f"At least {notice} seconds from now."}],
        )
    if deadline >= booking.ends_at:
        raise NoticeTooShort(
            f"The booking ends at {booking.ends_at.isoformat()} by itself, before that.",
            errors=[{"field": "at", "message": "The booking ends before."}],
        )
    return deadline


def pause(offer_id: UUID, *, actor: str) -> None:
    """Take an offer off the market until its provider resumes it."""
    offer = MarketplaceOffer.objects.select_for_update(no_key=True).get(pk=offer_id)
    if OfferState.PAUSED in offer.TRANSITIONS[offer.state]:
        offer.advance(OfferState.PAUSED, actor=actor, reason="a booking is being reclaimed")


def live_over(offer: MarketplaceOffer) -> list[GPUBooking]:
    """Return the bookings of this offer that are not over, soonest first."""
    return list(offer.bookings.filter(state__in=LIVE).order_by("starts_at", "pk"))
