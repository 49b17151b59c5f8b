"""Bookings in any order of words and time: nothing is sold twice, nothing runs unpaid, no money is lost."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from aitbc.core import invariants
from aitbc.core.errors import DomainError
from aitbc.core.messaging.relay import drain
from apps.marketplace.models import BookingExtension, GPUBooking, Outbox
from apps.marketplace.selectors import clock
from apps.marketplace.services import booking_endings, bookings, extensions, provisioning, sweeps
from apps.marketplace.states import BOOKING_TRANSITIONS, LIVE, BookingState
from apps.trading.models import LedgerAccount
from apps.trading.services import escrow_reconciliation
from tests.marketplace.renting import AIT, funded, rentable, sound
from tests.marketplace.renting import broken as gone

ALWAYS = ["M1", "M2", "M3", "M5", "M9", "T9", "I12", "I13", "I14", "I15", "I16", "I17"]
picked = st.integers(0, 99)


class BookingMachine(RuleBasedStateMachine):
    """Two providers (one bonded, one poor), three renters (one nearly broke), offers that share cards."""

    @initialize()
    def start(self) -> None:
        self.now = clock.now()
        rich, poor = funded(30 * AIT), funded(3 * AIT)
        first = rentable(provider=rich, gpus=2, bonded=True, price=AIT, price_storage_gb_month=730)
        self.offers = [
            first,
            rentable(provider=rich, slots=first.slots, gpus=2, price=2_345_677, extend_at_same_price=False),
            rentable(provider=poor, bonded=True, price=1_111_111),
        ]
        self.renters = [funded(90 * AIT), funded(15 * AIT), funded(2 * AIT)]
        self.begun = self.money()

    def money(self) -> int:
        return sum(a.balance for a in LedgerAccount.objects.exclude(kind="external"))

    def bookings(self) -> list[GPUBooking]:
        """Those of this life: the database still has those of earlier ones."""
        return list(GPUBooking.objects.filter(offer__in=self.offers).order_by("created_at", "pk"))

    def booking(self, which: int) -> GPUBooking | None:
        """Any of them, but three times out of four one that is not over, if there is one."""
        found = self.bookings()
        live = [booking for booking in found if booking.state in LIVE]
        chosen = live if live and which % 4 else found
        return chosen[which % len(chosen)] if chosen else None

    def attempt(self, act, which: int, **more) -> None:
        """Do it to one of the bookings; a refusal must leave everything as it was, which the invariants see."""
        booking = self.booking(which)
        if booking is not None:
            try:
                act(booking=booking, actor="test", now=self.now, **more)
            except DomainError as error:
                assert 400 <= error.status < 500

    @rule(
        which=st.integers(0, 2), who=st.integers(0, 2), count=st.integers(1, 2), hours=st.integers(1, 5),
        later=st.none() | st.integers(0, 8), gb=st.integers(0, 300), heard=st.integers(0, 3),
    )  # fmt: skip
    def book(self, which, who, count, hours, later, gb, heard) -> None:
        try:
            bookings.book(
                offer=self.offers[which], renter_id=self.renters[who], actor="test", gpu_count=count, now=self.now,
                duration_s=hours * 1801, storage_gb=gb if which == 0 else 0,
                starts_at=None if later is None else self.now + timedelta(minutes=later * 37),
            )  # fmt: skip
            if heard:
                drain()
                sweeps.run(now=self.now)
        except DomainError as error:
            assert 400 <= error.status < 500

    @rule(which=picked)
    def ready(self, which) -> None:
        self.attempt(provisioning.ready, which)

    def all_ready(self) -> None:
        for booking in self.bookings():
            if booking.state in (BookingState.RESERVED, BookingState.PROVISIONING):
                provisioning.ready(booking=booking, actor="test", now=self.now)

    @rule(which=picked, hours=st.integers(1, 3))
    def extend(self, which, hours) -> None:
        self.attempt(extensions.extend, which, seconds=hours * 1777)

    @rule(which=picked)
    def end(self, which) -> None:
        self.attempt(bookings.end, which)

    @rule(which=picked, by_provider=st.booleans())
    def cancel(self, which, by_provider) -> None:
        booking = self.booking(which)
        if booking is not None:
            party = booking.provider_id if by_provider else booking.renter_id
            self.attempt(bookings.cancel, which, party_id=party)

    @rule(which=picked)
    def reclaim(self, which) -> None:
        self.attempt(bookings.reclaim, which)

    @rule(which=picked, reason=st.sampled_from(["offline", "quarantined"]))
    def lose_a_gpu(self, which, reason) -> None:
        booking = self.booking(which)
        if booking is not None:
            gone(booking, reason, at=self.now)

    @rule(minutes=st.integers(1, 9) | st.integers(10, 200), served=st.integers(0, 3))
    def let_time_pass(self, minutes, served) -> None:
        if served:
            drain()
            self.all_ready()
        self.now += timedelta(minutes=minutes, milliseconds=137)
        sweeps.run(now=self.now)

    @rule()
    def relay(self) -> None:
        drain()

    @precondition(lambda self: Outbox.objects.filter(consumer="trading").exists())
    @rule()
    def lose_every_closing(self) -> None:
        """A restored backup, say: the events about endings never arrive; reconciliation finds it."""
        Outbox.objects.filter(consumer="trading", name="marketplace.booking.closed.v1").delete()

    @rule()
    def reconcile(self) -> None:
        escrow_reconciliation.reconcile(patience=timedelta(days=-30))

    @invariant()
    def nothing_is_broken(self) -> None:
        broken = {one.name: lines for one, lines in invariants.run(ALWAYS, online=True).items() if lines}
        assert broken == {}, broken

    def teardown(self) -> None:
        if not hasattr(self, "begun"):
            return
        drain()
        sweeps.run(now=self.now + timedelta(days=30))
        drain()
        escrow_reconciliation.reconcile(patience=timedelta(days=-60))
        sound(ALWAYS)  # not of the log: hundreds of lives in one transaction are sealed late
        assert self.money() == self.begun
        for booking in self.bookings():
            assert not BOOKING_TRANSITIONS[booking.state], f"{booking} is still {booking.state}"
            if booking.state == "settled":
                check_money(booking)


def check_money(booking: GPUBooking) -> None:
    funds = booking.paid + booking.fee + booking.refunded
    assert funds in (0, booking.escrow)
    assert booking.owed == booking.paid + booking.fee
    assert not booking.compensation or booking.outcome in booking_endings.FAULTS
    assert booking.compensation <= min(booking.bond, booking.rate)
    assert booking.activated_at or not booking.owed
    assert not BookingExtension.objects.pending().filter(booking=booking).exists()


def test_any_life_of_bookings_is_sound(db: None) -> None:
    relaxed = settings(max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(BookingMachine, settings=relaxed)
