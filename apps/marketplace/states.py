"""States of offers, demands, bids and bookings, and the transitions between them: the page to read first."""

from __future__ import annotations

from django.db.models import TextChoices

from aitbc.core.states import Transitions, finals_of


class OfferState(TextChoices):
    DRAFT = "draft"
    OPEN = "open"
    PAUSED = "paused"
    BOOKED_OUT = "booked_out"  # every slot is in a live booking now
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


OFFER_TRANSITIONS: Transitions = {
    OfferState.DRAFT: {OfferState.OPEN, OfferState.WITHDRAWN, OfferState.EXPIRED},
    OfferState.OPEN: {OfferState.PAUSED, OfferState.BOOKED_OUT, OfferState.EXPIRED, OfferState.WITHDRAWN},
    OfferState.PAUSED: {OfferState.OPEN, OfferState.EXPIRED, OfferState.WITHDRAWN},
    OfferState.BOOKED_OUT: {OfferState.OPEN, OfferState.PAUSED, OfferState.EXPIRED, OfferState.WITHDRAWN},
    OfferState.EXPIRED: set(),
    OfferState.WITHDRAWN: set(),
}


class DemandState(TextChoices):
    DRAFT = "draft"
    OPEN = "open"  # takes bids
    CLOSING = "closing"  # the auction's time is over; it is being cleared
    AWARDED = "awarded"  # a bid won; its booking is being made
    FULFILLED = "fulfilled"  # the booking it led to is paid for
    FAILED_NO_BIDS = "failed_no_bids"
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # its start passed, or its booking could not be made


DEMAND_TRANSITIONS: Transitions = {
    DemandState.DRAFT: {DemandState.OPEN, DemandState.CANCELLED, DemandState.EXPIRED},
    DemandState.OPEN: {DemandState.CLOSING, DemandState.AWARDED, DemandState.CANCELLED, DemandState.EXPIRED},
    DemandState.CLOSING: {
        DemandState.AWARDED,
        DemandState.FAILED_NO_BIDS,
        DemandState.CANCELLED,
        DemandState.EXPIRED,
    },
    DemandState.AWARDED: {DemandState.FULFILLED, DemandState.EXPIRED},
    DemandState.FULFILLED: set(),
    DemandState.FAILED_NO_BIDS: set(),
    DemandState.CANCELLED: set(),
    DemandState.EXPIRED: set(),
}


class AuctionFormat(TextChoices):
    PAY_AS_BID = "pay_as_bid", "the winner is paid what it bid"
    SECOND_SCORE = "second_score", "the winner is paid the highest price at which it would still have won"


class BidState(TextChoices):
    PENDING = "pending"  # its bond is being set aside
    OPEN = "open"
    WON = "won"
    LOST = "lost"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    REJECTED = "rejected"  # no bond, pushed out by a better one, or unfit


BID_TRANSITIONS: Transitions = {
    BidState.PENDING: {BidState.OPEN, BidState.REJECTED, BidState.WITHDRAWN, BidState.LOST, BidState.EXPIRED},
    BidState.OPEN: {BidState.WON, BidState.LOST, BidState.WITHDRAWN, BidState.EXPIRED, BidState.REJECTED},
    BidState.WON: set(),
    BidState.LOST: set(),
    BidState.WITHDRAWN: set(),
    BidState.EXPIRED: set(),
    BidState.REJECTED: set(),
}


class BookingState(TextChoices):
    REQUESTED = "requested"  # the slots are taken; the money is being set aside
    RESERVED = "reserved"  # paid for; its time has not come
    PROVISIONING = "provisioning"  # its time has come; the provider makes it ready
    ACTIVE = "active"
    RECLAIMING = "reclaiming"  # the provider gave notice; runs until the deadline
    ENDED = "ended"  # its use is measured; trading pays
    SETTLED = "settled"
    NO_SHOW = "no_show"  # never made ready in time
    FAILED_HARDWARE = "failed_hardware"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    CANCELLED_RENTER = "cancelled_renter"
    CANCELLED_PROVIDER = "cancelled_provider"


#: Ended early, one way or another; all of these are settled by trading like a booking that ran its time.
BROKEN = (
    BookingState.NO_SHOW,
    BookingState.FAILED_HARDWARE,
    BookingState.CANCELLED_RENTER,
    BookingState.CANCELLED_PROVIDER,
)
#: The slots of a booking in one of these are nobody else's (exclusion constraint on the slices).
LIVE = (
    BookingState.REQUESTED,
    BookingState.RESERVED,
    BookingState.PROVISIONING,
    BookingState.ACTIVE,
    BookingState.RECLAIMING,
)
#: The meter runs.
RUNNING = (BookingState.ACTIVE, BookingState.RECLAIMING)

BOOKING_TRANSITIONS: Transitions = {
    BookingState.REQUESTED: {
        BookingState.RESERVED, BookingState.INSUFFICIENT_FUNDS, BookingState.CANCELLED_RENTER,
        BookingState.CANCELLED_PROVIDER,
    },
    BookingState.RESERVED: {
        BookingState.PROVISIONING, BookingState.ACTIVE, BookingState.CANCELLED_RENTER, BookingState.CANCELLED_PROVIDER,
        BookingState.FAILED_HARDWARE, BookingState.NO_SHOW,
    },
    BookingState.PROVISIONING: {
        BookingState.ACTIVE, BookingState.NO_SHOW, BookingState.CANCELLED_RENTER, BookingState.CANCELLED_PROVIDER,
        BookingState.FAILED_HARDWARE,
    },
    BookingState.ACTIVE: {
        BookingState.RECLAIMING, BookingState.ENDED, BookingState.CANCELLED_RENTER, BookingState.CANCELLED_PROVIDER,
        BookingState.FAILED_HARDWARE,
    },
    BookingState.RECLAIMING: {
        BookingState.ENDED, BookingState.CANCELLED_RENTER, BookingState.CANCELLED_PROVIDER,
        BookingState.FAILED_HARDWARE,
    },
    BookingState.ENDED: {BookingState.SETTLED},
    BookingState.NO_SHOW: {BookingState.SETTLED},
    BookingState.FAILED_HARDWARE: {BookingState.SETTLED},
    BookingState.CANCELLED_RENTER: {BookingState.SETTLED},
    BookingState.CANCELLED_PROVIDER: {BookingState.SETTLED},
    BookingState.SETTLED: set(),
    BookingState.INSUFFICIENT_FUNDS: set(),
}  # fmt: skip

BOOKING_FINAL = finals_of(BOOKING_TRANSITIONS)
