"""Bookings that are refused: each says why, and moves nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.marketplace.errors import (
    BondMissing,
    BookingInvalid,
    MinerSilent,
    OfferNotOpen,
    RenterRefused,
    SelfBooking,
    SlotTaken,
)
from apps.marketplace.models import BookingSlice, MarketplaceOffer
from apps.marketplace.selectors import clock
from apps.marketplace.services import bookings
from apps.trading.interface import available
from tests.marketplace.renting import (
    AIT,
    HOUR,
    booked,
    funded,
    rentable,
    running,
    sound,
)

NOW = timedelta()
REFUSED = [
    ({"gpu_count": 2}, BookingInvalid),
    ({"duration_s": 59}, BookingInvalid),
    ({"duration_s": 31 * 86_400}, BookingInvalid),
    ({"starts_at": timedelta(minutes=-5)}, BookingInvalid),
    ({"starts_at": timedelta(days=366)}, BookingInvalid),
    ({"storage_gb": 10}, BookingInvalid),
]


@pytest.mark.parametrize(("terms", "error"), REFUSED)
def test_a_booking_that_makes_no_sense_is_refused_and_nothing_moves(terms, error):
    renter = funded(1000 * AIT)
    if "starts_at" in terms:
        terms = {"starts_at": clock.now() + terms["starts_at"]}

    with pytest.raises(error):
        booked(rentable(), renter, **terms)

    assert available(renter) == 1000 * AIT
    assert not BookingSlice.objects.exists()


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"state": "paused"}, OfferNotOpen),
        ({"state": "withdrawn"}, OfferNotOpen),
        ({"rentable": False}, MinerSilent),
        ({"constraints": "renter.bookings > 1000"}, RenterRefused),
        ({"bonded": True}, BondMissing),
    ],
)
def test_an_offer_that_cannot_be_booked_says_why(fields, error):
    with pytest.raises(error):
        booked(rentable(**fields), funded())


def test_an_offer_outside_its_dates_cannot_be_booked():
    now = clock.now()
    soon, short = rentable(available_from=now + HOUR), rentable(available_until=now + HOUR / 2)

    for offer in (soon, short):
        with pytest.raises(BookingInvalid):
            booked(offer, funded())


def test_nobody_books_their_own_offer():
    renter = funded()

    with pytest.raises(SelfBooking):
        booked(rentable(provider=renter), renter)


def test_a_taken_slot_is_refused_with_the_next_free_moment():
    offer = rentable()
    first = booked(offer, funded())

    with pytest.raises(SlotTaken) as refusal:
        booked(offer, funded())

    assert refusal.value.members["next_free"] == first.ends_at.isoformat()


def test_a_card_in_two_offers_is_sold_once():
    one = rentable()
    other = rentable(slots=one.slots, provider=one.provider_id)
    booked(one, funded())

    with pytest.raises(SlotTaken):
        booked(other, funded())


def test_an_offer_of_two_is_booked_out_by_two_and_open_again_after(drain):
    offer = rentable(gpus=2)
    first = running(offer, funded(), gpu_count=1)
    assert MarketplaceOffer.objects.get(pk=offer.pk).state == "open"
    second = running(offer, funded(), gpu_count=1)
    assert MarketplaceOffer.objects.get(pk=offer.pk).state == "booked_out"
    assert set(first.slot_slices.values_list("slot")) != set(second.slot_slices.values_list("slot"))

    bookings.end(booking=first, actor="test")

    assert MarketplaceOffer.objects.get(pk=offer.pk).state == "open"
    sound()
