"""More time for a booking: at what price, when not, and what happens when the money is not there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aitbc.core.errors import InsufficientFunds, StateConflict
from apps.marketplace.errors import BookingInvalid, ExtensionPending, PriceMoved, SlotTaken
from apps.marketplace.logic.durations import ms_between
from apps.marketplace.models import BookingExtension, BookingSlice, MarketplaceOffer
from apps.marketplace.services import bookings, extensions
from apps.trading.interface import available
from apps.trading.services import deposits, ledger
from apps.trading.services.ledger import TransferRequest
from apps.trading.states import Code
from tests.marketplace.renting import AIT, HOUR, after, again, at, booked, funded, rentable, reserved, running, sound


def extend(booking, seconds=3600, **more):
    return extensions.extend(booking=booking, seconds=seconds, actor="test", **more)


def test_an_extension_moves_the_end_when_its_money_is_there(drain):
    renter = funded(10 * AIT)
    booking = running(rentable(), renter)

    extension = extend(booking)
    assert again(booking).ends_at == booking.ends_at
    drain()

    longer = again(booking)
    assert (longer.ends_at, longer.escrow) == (booking.ends_at + HOUR, 2 * AIT)
    assert available(renter) == 8 * AIT
    assert BookingExtension.objects.get(pk=extension.pk).state == "held"
    at(longer.ends_at + timedelta(seconds=1))
    assert again(booking).owed == AIT * ms_between(longer.activated_at, longer.ends_at) // 3_600_000
    sound()


def test_where_the_offer_says_so_more_time_costs_the_present_price(drain):
    offer = rentable(extend_at_same_price=False)
    booking = running(offer, funded())
    MarketplaceOffer.objects.filter(pk=offer.pk).update(price_gpu_hour=3 * AIT)

    with pytest.raises(PriceMoved):
        extend(booking, max_rate=2 * AIT)
    extension = extend(booking, max_rate=3 * AIT)
    drain()

    assert (extension.rate, extension.amount) == (3 * AIT, 3 * AIT)
    longer = again(booking)
    at(longer.ends_at + timedelta(seconds=1))
    first = ms_between(longer.activated_at, booking.ends_at)
    assert again(booking).owed == (AIT * first + 3 * AIT * 3_600_000) // 3_600_000
    sound()


def test_a_later_booking_forbids_the_extension_and_nothing_moves(drain):
    offer, renter = rentable(), funded()
    booking = running(offer, renter)
    reserved(offer, funded(), starts_at=booking.ends_at + HOUR / 2)
    before = available(renter)

    with pytest.raises(SlotTaken) as refusal:
        extend(booking)

    assert "free until" in refusal.value.detail
    assert available(renter) == before
    assert not BookingExtension.objects.exists()
    extend(booking, 1800)  # up to it is fine
    sound()


def test_what_is_kept_for_an_extension_is_not_sold(drain):
    offer = rentable()
    booking = running(offer, funded())
    extend(booking)

    with pytest.raises(SlotTaken):
        booked(offer, funded(), starts_at=booking.ends_at)


def test_one_extension_at_a_time(drain):
    booking = running(rentable(), funded())
    extend(booking)

    with pytest.raises(ExtensionPending):
        extend(booking)
    drain()

    extend(booking)
    sound()


def test_the_longest_time_of_the_offer_holds_for_extensions_too(drain):
    booking = running(rentable(max_duration_s=5400), funded())

    with pytest.raises(BookingInvalid):
        extend(booking)
    sound()


def test_a_renter_without_money_is_refused_at_once(drain):
    booking = running(rentable(), funded(AIT))

    with pytest.raises(InsufficientFunds):
        extend(booking)

    assert BookingSlice.objects.get(booking=booking).period.upper == booking.ends_at


def test_when_the_money_is_gone_meanwhile_the_slots_are_free_again(drain):
    renter, offer = funded(2 * AIT), rentable()
    booking = running(offer, renter)
    extension = extend(booking)
    spent = TransferRequest(
        id=ledger.name("spent"), debit=ledger.available_of(renter), credit=ledger.available_of(funded()), amount=AIT,
        code=Code.DEPOSIT,
    )  # fmt: skip
    ledger.post([spent], actor="test")

    drain()

    assert BookingExtension.objects.get(pk=extension.pk).state == "refused"
    assert again(booking).ends_at == booking.ends_at
    assert BookingSlice.objects.get(booking=booking).period.upper == booking.ends_at
    booked(offer, funded(), starts_at=booking.ends_at)
    sound()


def test_a_booking_that_ended_while_its_extension_was_paid_gets_the_money_back(drain):
    renter = funded(5 * AIT)
    booking = running(rentable(), renter)
    extend(booking)
    bookings.end(booking=booking, actor="test", now=after(booking, minutes=30))

    drain()

    done = again(booking)
    assert (done.state, done.owed, done.escrow) == ("settled", AIT // 2, 2 * AIT)
    assert available(renter) == 5 * AIT - AIT // 2
    sound()


def test_a_booking_outlives_its_end_a_moment_while_its_extension_is_paid(drain):
    from apps.marketplace.services import sweeps

    renter = funded(5 * AIT)
    booking = running(rentable(), renter)
    extend(booking)

    sweeps.run(now=booking.ends_at + timedelta(seconds=5))
    assert again(booking).state == "active"
    sweeps.run(now=booking.ends_at + timedelta(seconds=31))
    assert again(booking).state == "ended"
    drain()

    assert again(booking).state == "settled"
    sound()


def test_what_is_over_is_not_extended(drain):
    booking = running(rentable(), funded())
    bookings.end(booking=booking, actor="test")
    drain()

    with pytest.raises(StateConflict):
        extend(booking)


def test_money_that_arrives_later_pays_the_next_try(drain):
    renter = funded(AIT)
    booking = running(rentable(), renter)
    with pytest.raises(InsufficientFunds):
        extend(booking)
    deposits.deposit(owner_id=renter, amount=AIT, reason="test", actor="operator:test")

    extend(booking)
    drain()

    assert again(booking).escrow == 2 * AIT
    sound()
