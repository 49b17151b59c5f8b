"""Overdue offers, demands, bids, bookings, extensions and quotes, one for each deadline of each state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from aitbc.core.messaging.relay import drain
from apps.marketplace.models import (
    BookingExtension,
    BookingSlice,
    GPUBooking,
    IdempotencyRecord,
    MarketplaceBid,
    MarketplaceDemand,
    MarketplaceOffer,
    Quote,
)
from apps.marketplace.selectors import clock
from apps.marketplace.services import auction_clearing, availability, bookings, extensions, quotes
from apps.marketplace.services.booking_endings import Ending, finish
from apps.marketplace.states import BookingState
from tests.marketplace import bidding
from tests.marketplace.renting import HOUR, again, booked, funded, rentable, reserved, running
from tests.sweeping import Case, Cases, StateReaders, ago, lose_messages, set_columns


def offer_in(state: str) -> Case:
    """The time for which it was offered is over."""

    def case() -> Iterator[MarketplaceOffer]:
        offer = rentable(state=state, available_until=clock.now() + timedelta(days=1))
        yield offer
        set_columns(offer, available_until=ago(seconds=1))

    return case


def booked_out(late: Callable[[MarketplaceOffer], None]) -> Case:
    """Every slot of it is in a booking."""

    def case() -> Iterator[MarketplaceOffer]:
        offer = rentable(available_until=clock.now() + timedelta(days=1))
        running(offer, funded())
        availability.settle()
        yield offer
        late(offer)

    return case


def end_offer(offer: MarketplaceOffer) -> None:
    set_columns(offer, available_until=ago(seconds=1))


def free_slots(offer: MarketplaceOffer) -> None:
    BookingSlice.objects.update(live=False)


def demand_row(requested: Any) -> MarketplaceDemand:
    return MarketplaceDemand.objects.get(pk=requested["id"])


def draft_demand() -> Iterator[MarketplaceDemand]:
    """Nobody publishes it."""
    demand = demand_row(bidding.demand(bidding.renter(), draft=True))
    yield demand
    set_columns(demand, created_at=ago(days=31))


def standing() -> Iterator[MarketplaceDemand]:
    """It has no auction, and no offer meets it."""
    demand = demand_row(bidding.demand(bidding.renter(), closes_at=None))
    yield demand
    set_columns(demand, created_at=ago(days=91))


def standing_late() -> Iterator[MarketplaceDemand]:
    demand = demand_row(bidding.demand(bidding.renter(), closes_at=None, start_by=bidding.in_an_hour()))
    yield demand
    set_columns(demand, start_by=ago(seconds=1))


def auctioned() -> Iterator[MarketplaceDemand]:
    requested = bidding.demand(bidding.renter())
    yield demand_row(requested)
    bidding.time_is_over(requested)


def closing() -> Iterator[MarketplaceDemand]:
    """The last bond that it waits for does not come."""
    requested, _ = pending_bid()
    set_columns(demand_row(requested), closes_at=ago(seconds=1))
    auction_clearing.close_due()
    yield demand_row(requested)
    bidding.time_is_over(requested)


def awarded_demand() -> tuple[MarketplaceDemand, GPUBooking]:
    ((provider, offer),) = bidding.bidders(1)
    requested = bidding.demand(bidding.renter())
    bidding.bid(provider, requested, offer, "1")
    bidding.closed(requested)
    demand = demand_row(requested)
    return demand, demand.bookings.get()


def awarded() -> Iterator[MarketplaceDemand]:
    """Its booking is settled."""
    demand, booking = awarded_demand()
    yield demand
    bookings.cancel(booking=booking, party_id=booking.renter_id, actor="test")
    drain()


def pending_bid() -> tuple[Any, MarketplaceBid]:
    """A bid about whose bond trading heard nothing."""
    ((provider, offer),) = bidding.bidders(1)
    requested = bidding.demand(bidding.renter())
    body = {"offer_id": str(offer.pk), "price_hour": "1"}
    made = provider.json("POST", f"{bidding.DEMANDS}/{requested['id']}/bids", body, status=201)
    lose_messages("marketplace")
    return requested, MarketplaceBid.objects.get(pk=made["id"])


def pending_unanswered() -> Iterator[MarketplaceBid]:
    _, bid = pending_bid()
    yield bid
    set_columns(bid, created_at=ago(minutes=2))


def pending_expired() -> Iterator[MarketplaceBid]:
    _, bid = pending_bid()
    yield bid
    set_columns(bid, expires_at=ago(seconds=1))


def open_bid(late: Callable[[MarketplaceBid], None]) -> Case:
    def case() -> Iterator[MarketplaceBid]:
        ((provider, offer),) = bidding.bidders(1)
        requested = bidding.demand(bidding.renter())
        bid = MarketplaceBid.objects.get(pk=bidding.bid(provider, requested, offer, "1")["id"])
        yield bid
        late(bid)

    return case


def expire_bid(bid: MarketplaceBid) -> None:
    set_columns(bid, expires_at=ago(seconds=1))


def close_auction(bid: MarketplaceBid) -> None:
    set_columns(bid.demand, closes_at=ago(minutes=1))


def requested() -> Iterator[GPUBooking]:
    """The request for its money is lost."""
    booking = booked(rentable(), funded())
    lose_messages("marketplace")
    yield booking
    set_columns(booking, created_at=ago(minutes=2))


def reserved_booking(late: Callable[[GPUBooking], None]) -> Case:
    """It starts in an hour."""

    def case() -> Iterator[GPUBooking]:
        booking = reserved(rentable(), funded(), starts_at=clock.now() + HOUR)
        yield booking
        late(booking)

    return case


def begin_booking(booking: GPUBooking) -> None:
    set_columns(booking, starts_at=ago(seconds=1))


def miss_booking(booking: GPUBooking) -> None:
    """The exchange was down for all of its time."""
    set_columns(booking, starts_at=ago(hours=2), ends_at=ago(hours=1))


def provisioning() -> Iterator[GPUBooking]:
    """Nobody makes it ready."""
    booking = reserved(rentable(), funded())
    yield booking
    set_columns(booking, provision_by=ago(seconds=1))


def end_time(booking: GPUBooking, *, seconds: int = 1) -> None:
    """Its end was so many seconds ago, and all that was before it moves with it."""
    shift = booking.ends_at - clock.now() + timedelta(seconds=seconds)
    names = ("starts_at", "activated_at", "ends_at")
    set_columns(booking, **{name: getattr(booking, name) - shift for name in names})


def active() -> Iterator[GPUBooking]:
    booking = running(rentable(), funded())
    yield booking
    end_time(booking)


def active_extending() -> Iterator[GPUBooking]:
    """The money for its extension does not come."""
    booking = running(rentable(), funded())
    extensions.extend(booking=booking, seconds=3600, actor="test")
    lose_messages("marketplace")
    yield booking
    end_time(booking, seconds=31)


def reclaiming() -> Iterator[GPUBooking]:
    booking = running(rentable(), funded(), duration_s=24 * 3600)
    bookings.reclaim(booking=booking, actor="test")
    booking = again(booking)
    yield booking
    end_time(booking)


def over(to: BookingState) -> Case:
    """That it is over is lost, so that nobody divides its money."""

    def case() -> Iterator[GPUBooking]:
        booking = reserved(rentable(), funded(), starts_at=clock.now() + HOUR)
        if to == BookingState.ENDED:
            booking = running(rentable(), funded())
        finish([Ending(booking=booking, at=clock.now())], to, actor="test")
        lose_messages("marketplace")
        yield booking
        set_columns(booking, ended_at=ago(minutes=2))

    return case


def requested_extension() -> Iterator[BookingExtension]:
    """The request for its money is lost."""
    extension = extensions.extend(booking=running(rentable(), funded()), seconds=3600, actor="test")
    lose_messages("marketplace")
    yield extension
    set_columns(extension, created_at=ago(minutes=2))


def extension_of_nothing() -> Iterator[BookingExtension]:
    """Its booking was over before its money could be set aside."""
    booking = running(rentable(), funded())
    extension = extensions.extend(booking=booking, seconds=3600, actor="test")
    lose_messages("marketplace")
    bookings.end(booking=again(booking), actor="test")
    drain()
    yield extension
    set_columns(extension, created_at=ago(minutes=2))


def unused_quote() -> Iterator[Quote]:
    quote = quotes.make(offer=rentable(), renter_id=funded(), duration_s=3600)
    yield quote
    set_columns(quote, expires_at=ago(days=31))


def stored_answer() -> Iterator[IdempotencyRecord]:
    api = bidding.renter()
    body = {"budget_hour": "2", "duration_s": 3600}
    api.json("POST", bidding.DEMANDS, body, status=201, idempotency_key="k")
    record = IdempotencyRecord.objects.get()
    yield record
    set_columns(record, created_at=ago(hours=49))


CASES: Cases = {
    "marketplace.MarketplaceOffer": {
        "draft": offer_in("draft"),
        "open": offer_in("open"),
        "paused": offer_in("paused"),
        "booked_out": booked_out(end_offer),
        "booked_out, a slot is free again": booked_out(free_slots),
    },
    "marketplace.MarketplaceDemand": {
        "draft": draft_demand,
        "open": standing,
        "open, it was to start by now": standing_late,
        "open, its auction is over": auctioned,
        "closing": closing,
        "awarded": awarded,
    },
    "marketplace.MarketplaceBid": {
        "pending": pending_unanswered,
        "pending, it has expired": pending_expired,
        "open": open_bid(expire_bid),
        "open, its auction is over": open_bid(close_auction),
    },
    "marketplace.GPUBooking": {
        "requested": requested,
        "reserved": reserved_booking(begin_booking),
        "reserved, its time is over": reserved_booking(miss_booking),
        "provisioning": provisioning,
        "active": active,
        "active, its extension is not answered": active_extending,
        "reclaiming": reclaiming,
        **{
            str(state): over(state)
            for state in (
                BookingState.ENDED,
                BookingState.NO_SHOW,
                BookingState.FAILED_HARDWARE,
                BookingState.CANCELLED_RENTER,
                BookingState.CANCELLED_PROVIDER,
            )
        },
    },
    "marketplace.BookingExtension": {
        "asked": requested_extension,
        "asked, its booking is over": extension_of_nothing,
    },
    "marketplace.Quote": {"unused": unused_quote},
    "marketplace.IdempotencyRecord": {"stored": stored_answer},
}
STATES: StateReaders = {
    "marketplace.Quote": lambda quote: "used" if quote.used_at else "unused",
    "marketplace.IdempotencyRecord": lambda record: "stored",
}
