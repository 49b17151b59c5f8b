"""A booking from the first word to the last micro-AIT, by every road; one test per money rule of docs/renters.md."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from aitbc.core.errors import InsufficientFunds, StateConflict
from apps.marketplace.errors import (
    NoticeTooShort,
)
from apps.marketplace.logic.durations import ms_between
from apps.marketplace.models import BookingSlice, MarketplaceOffer, Outbox, PriceTick, ReliabilityEvent
from apps.marketplace.selectors import clock
from apps.marketplace.services import bookings, provisioning, sweeps
from apps.trading.interface import available, escrows_of
from tests.marketplace.renting import (
    AIT,
    HOUR,
    after,
    again,
    at,
    booked,
    broken,
    funded,
    provisioned,
    rentable,
    reserved,
    running,
    sound,
)


def test_an_instant_booking_runs_its_hour_and_is_paid_to_the_last_micro_ait(drain):
    offer, renter = rentable(), funded(10 * AIT)

    booking = booked(offer, renter)
    assert (booking.state, booking.escrow) == ("requested", AIT)
    drain()
    booking = again(booking)
    assert (booking.state, available(renter)) == ("provisioning", 9 * AIT)
    provisioned(booking)
    booking = again(booking)
    assert booking.state == "active"
    at(after(booking, minutes=20))
    assert again(booking).owed == AIT // 3
    at(booking.ends_at + timedelta(seconds=1))

    booking = again(booking)
    used = ms_between(booking.activated_at, booking.ends_at)
    owed = AIT * used // 3_600_000
    assert (booking.state, booking.outcome, booking.owed) == ("settled", "ended", owed)
    assert booking.paid + booking.fee == owed
    assert booking.paid + booking.fee + booking.refunded == AIT
    assert available(renter) == 10 * AIT - owed
    assert available(offer.provider_id) == booking.paid
    assert PriceTick.objects.get(ref=booking.pk).price_gpu_hour == AIT
    assert ReliabilityEvent.objects.get(ref=str(booking.pk)).kind == "booking"
    sound()


def test_a_future_booking_waits_for_its_time(drain):
    offer, renter = rentable(), funded()
    start = clock.now() + 2 * HOUR

    booking = reserved(offer, renter, starts_at=start)
    assert booking.state == "reserved"
    at(start - timedelta(seconds=1))
    assert again(booking).state == "reserved"
    at(start)

    assert again(booking).state == "provisioning"
    sound()


def test_a_provider_who_is_ready_early_starts_on_the_second(drain):
    start = clock.now() + HOUR
    booking = reserved(rentable(), funded(), starts_at=start)

    provisioning.ready(booking=booking, actor="test")
    assert again(booking).state == "reserved"
    at(start)

    assert again(booking).state == "active"
    assert again(booking).activated_at == booking.starts_at
    sound()


def test_who_cannot_pay_is_refused_at_once_and_nothing_is_taken():
    offer = rentable()

    with pytest.raises(InsufficientFunds) as refusal:
        booked(offer, funded(AIT - 1))

    assert refusal.value.members == {"needed": "1.000000", "available": "0.999999"}
    assert not BookingSlice.objects.exists()


def test_two_bookings_for_the_money_of_one_leave_one(drain):
    renter = funded(AIT)
    first, second = booked(rentable(), renter), booked(rentable(), renter)
    drain()

    assert sorted([again(first).state, again(second).state]) == ["insufficient_funds", "provisioning"]
    assert BookingSlice.objects.filter(live=True).count() == 1
    sound()


def test_storage_is_part_of_the_price(drain):
    offer = rentable(price_storage_gb_month=730)

    booking = reserved(offer, funded(), storage_gb=500)

    assert (booking.rate, booking.escrow) == (AIT + 500, AIT + 500)
    sound()


# What each end costs: the table of docs/renters.md, a test per row.


def test_cancelled_before_it_is_active_everything_goes_back(drain):
    renter = funded(2 * AIT)
    booking = reserved(rentable(), renter)

    bookings.cancel(booking=booking, party_id=renter, actor="test")
    drain()

    booking = again(booking)
    assert (booking.state, booking.outcome, booking.refunded) == ("settled", "cancelled_renter", AIT)
    assert available(renter) == 2 * AIT
    sound()


def test_cancelled_while_the_money_is_on_its_way_everything_goes_back(drain):
    renter = funded(2 * AIT)
    booking = booked(rentable(), renter)

    bookings.cancel(booking=booking, party_id=renter, actor="test")
    drain()

    assert again(booking).state == "settled"
    assert available(renter) == 2 * AIT
    sound()


def test_cancelled_while_the_money_is_refused_it_is_settled_with_nothing(drain):
    renter = funded(AIT)
    first, second = booked(rentable(), renter), booked(rentable(), renter)
    bookings.cancel(booking=second, party_id=renter, actor="test")

    drain()

    assert sorted([again(first).state, again(second).state]) == ["provisioning", "settled"]
    sound()


def test_cancelled_once_active_what_was_used_is_paid(drain):
    renter = funded(2 * AIT)
    booking = running(rentable(), renter)

    bookings.cancel(booking=booking, party_id=renter, actor="test", now=after(booking, minutes=15))
    drain()

    assert again(booking).owed == AIT // 4
    assert available(renter) == 2 * AIT - AIT // 4
    sound()


def test_cancelled_in_the_first_seconds_the_minimum_charge_is_paid(drain):
    renter = funded(2 * AIT)
    booking = running(rentable(), renter)

    bookings.cancel(booking=booking, party_id=renter, actor="test", now=after(booking, seconds=5))
    drain()

    assert again(booking).owed == AIT * 60 // 3600
    sound()


def test_ended_by_the_renter_it_costs_what_was_used(drain):
    renter = funded(2 * AIT)
    booking = running(rentable(), renter)

    bookings.end(booking=booking, actor="test", now=after(booking, minutes=30))
    drain()

    booking = again(booking)
    assert (booking.outcome, booking.owed) == ("ended", AIT // 2)
    sound()


def test_cancelled_by_the_provider_the_bond_pays_an_hour_and_only_use_is_charged(drain):
    renter, provider = funded(10 * AIT), funded(5 * AIT)
    booking = running(rentable(provider=provider, bonded=True), renter, duration_s=2 * 3600)
    assert available(provider) == 4 * AIT

    bookings.cancel(booking=booking, party_id=provider, actor="test", now=after(booking, minutes=6))
    drain()

    booking = again(booking)
    assert (booking.outcome, booking.owed, booking.compensation) == ("cancelled_provider", AIT // 10, AIT)
    assert available(renter) == 10 * AIT - AIT // 10 + AIT
    assert available(provider) == 4 * AIT + booking.paid
    assert ReliabilityEvent.objects.get(ref=str(booking.pk)).ok is False
    sound()


def test_nobody_shows_and_the_bond_pays_the_renter(drain):
    renter, provider = funded(10 * AIT), funded(5 * AIT)
    booking = reserved(rentable(provider=provider, bonded=True), renter)

    at(clock.now() + timedelta(seconds=601))

    booking = again(booking)
    assert (booking.state, booking.outcome, booking.owed) == ("settled", "no_show", 0)
    assert (available(renter), available(provider)) == (11 * AIT, 4 * AIT)
    sound()


def test_the_bond_of_a_cheap_booking_pays_one_hour_at_most(drain):
    renter, provider = funded(10 * AIT), funded(5 * AIT)
    booking = reserved(rentable(provider=provider, bonded=True, price=100_000), renter)
    assert booking.bond == 500_000

    at(clock.now() + timedelta(seconds=601))

    assert again(booking).compensation == 100_000
    assert available(provider) == 5 * AIT - 100_000
    sound()


def test_a_card_that_dies_ends_the_booking_there(drain):
    renter, provider = funded(10 * AIT), funded(5 * AIT)
    booking = running(rentable(provider=provider, bonded=True), renter)
    at(after(booking, minutes=10))

    broken(booking, at=clock.now())
    drain()

    booking = again(booking)
    assert (booking.state, booking.outcome, booking.compensation) == ("settled", "failed_hardware", 0)
    assert booking.owed == AIT // 6  # what was metered stays metered
    assert available(provider) == 5 * AIT + booking.paid
    sound()


def test_a_miner_that_is_silent_before_the_start_may_come_back(drain):
    booking = reserved(rentable(), funded(), starts_at=clock.now() + HOUR)

    broken(booking, "offline")
    assert again(booking).state == "reserved"
    broken(booking, "quarantined")
    drain()

    assert (again(booking).state, again(booking).outcome) == ("settled", "failed_hardware")
    sound()


def test_a_reclaim_runs_until_its_deadline_and_takes_the_offer_off_the_market(drain):
    offer, renter = rentable(), funded(20 * AIT)
    booking = running(offer, renter, duration_s=10 * 3600)

    reclaimed = bookings.reclaim(booking=booking, actor="test")
    assert reclaimed.state == "reclaiming"
    assert MarketplaceOffer.objects.get(pk=offer.pk).state == "paused"
    at(reclaimed.ends_at + timedelta(seconds=1))

    booking = again(booking)
    assert (booking.state, booking.outcome, booking.compensation) == ("settled", "ended", 0)
    assert booking.owed == AIT * ms_between(booking.activated_at, reclaimed.ends_at) // 3_600_000
    sound()


def test_a_reclaim_on_shorter_notice_than_promised_is_refused(drain):
    booking = running(rentable(reclaim_notice_s=7200), funded(20 * AIT), duration_s=10 * 3600)

    for moment in (clock.now() + HOUR, booking.ends_at):
        with pytest.raises(NoticeTooShort):
            bookings.reclaim(booking=booking, actor="test", at=moment)

    assert again(booking).state == "active"
    sound()


def test_when_the_exchange_itself_was_too_late_nobody_pays(drain):
    renter, provider = funded(), funded()
    start = clock.now() + HOUR
    booking = reserved(rentable(provider=provider, bonded=True), renter, starts_at=start)

    at(start + 2 * HOUR)

    assert again(booking).outcome == "cancelled_renter"
    assert (available(renter), available(provider)) == (100 * AIT, 100 * AIT)
    sound()


def test_what_is_over_cannot_be_ended_again(drain):
    renter = funded()
    booking = running(rentable(), renter)
    bookings.end(booking=booking, actor="test")
    drain()

    for again_ in (
        lambda: bookings.end(booking=booking, actor="test"),
        lambda: bookings.cancel(booking=booking, party_id=renter, actor="test"),
        lambda: bookings.reclaim(booking=booking, actor="test"),
        lambda: provisioning.ready(booking=booking, actor="test"),
    ):
        with pytest.raises(StateConflict):
            again_()
    sound()


def test_a_lost_request_is_repeated_and_answered_once(drain):
    renter = funded(2 * AIT)
    booking = booked(rentable(), renter)
    Outbox.objects.filter(consumer="trading", key=str(booking.pk)).delete()

    at(clock.now() + timedelta(seconds=61))
    assert again(booking).state == "provisioning"
    sound()


def test_a_lost_closing_is_found_by_trading_and_by_the_market(drain):
    from apps.trading.services import escrow_reconciliation

    renter = funded(2 * AIT)
    booking = running(rentable(), renter)
    bookings.end(booking=booking, actor="test", now=after(booking, minutes=30))
    Outbox.objects.filter(consumer="trading", key=str(booking.pk)).delete()
    drain()
    assert escrows_of([booking.pk])[booking.pk].state == "held"

    escrow_reconciliation.reconcile(patience=timedelta(seconds=-3600))
    drain()

    assert (again(booking).state, again(booking).owed) == ("settled", AIT // 2)
    sound()


def test_facts_of_bookings_nobody_knows_change_nothing():
    from apps.marketplace import handlers
    from apps.trading.events import EscrowClosed, EscrowHeld

    handlers.on_escrows_held([EscrowHeld(booking_id=str(uuid4()), amount=1, bond=0)])
    handlers.on_escrows_closed([EscrowClosed(booking_id=str(uuid4()), paid=0, fee=0, refunded=1, compensation=0)])

    assert sweeps.run() == 0
