"""Every invariant of bookings, broken on purpose with the guards off, and reported."""

from __future__ import annotations

import pytest

from aitbc.core import invariants
from apps.marketplace.models import GPUBooking
from apps.trading.models import Escrow
from tests.marketplace.renting import AIT, HOUR, clock, funded, rentable, reserved, running, settled, sound
from tests.sabotage import sabotage

BOOKINGS, SLICES = ("UPDATE marketplace_gpubooking SET", "UPDATE marketplace_bookingslice SET")
UNGUARDED = "ALTER TABLE marketplace_bookingslice DROP CONSTRAINT marketplace_slot_sold_once"
BREAKS = {
    "a slot sold twice": (
        "M1", UNGUARDED, f"{SLICES} slot = (SELECT slot FROM marketplace_bookingslice ORDER BY id LIMIT 1)",
        f"{SLICES} period = (SELECT period FROM marketplace_bookingslice ORDER BY id LIMIT 1)",
    ),
    "a live booking without its slot": ("M1", f"{SLICES} live = false"),
    "slots for less than its time": ("M1", f"{SLICES} period = tstzrange(lower(period), lower(period) + '1 s')"),
    "a dead booking with a live slot": ("M1", f"{BOOKINGS} state = 'settled' WHERE state = 'active'"),
    "money that ends before the time": ("M2", f"{BOOKINGS} escrow = owed WHERE state = 'active'"),
    "a debt that nothing explains": ("M2", f"{BOOKINGS} owed = owed + 1 WHERE state = 'active'"),
    "another sum than trading holds": ("M2", f"{BOOKINGS} escrow = escrow + 1 WHERE state = 'reserved'"),
    "another renter than trading names": ("M2", f"{BOOKINGS} renter_id = gen_random_uuid() WHERE state = 'active'"),
    "another provider than trading names": ("M2", f"{BOOKINGS} provider_id = gen_random_uuid() WHERE state = 'active'"),
    "more booked than offered": (
        "M3", f"{BOOKINGS} offer_id = (SELECT offer_id FROM marketplace_gpubooking WHERE state = 'active')",
        f"{SLICES} period = (SELECT period FROM marketplace_bookingslice ORDER BY id LIMIT 1)",
    ),
    "a move that is not in the history": ("M9", f"{BOOKINGS} version = version + 1"),
    "a state the history does not know": ("M9", f"{BOOKINGS} state = 'ended' WHERE state = 'active'"),
}  # fmt: skip


def reported(name: str) -> list[str]:
    return [line for one, lines in invariants.run([name]).items() if one.db == "marketplace" for line in lines]


@pytest.fixture
def two_bookings(drain):
    running(rentable(), funded(10 * AIT))
    reserved(rentable(), funded(10 * AIT), starts_at=clock.now() + HOUR)
    sound()


@pytest.mark.parametrize("what", BREAKS)
def test_a_broken_invariant_is_reported(what, two_bookings):
    name, *statements = BREAKS[what]

    sabotage(GPUBooking, *statements)

    assert reported(name) != []


def test_an_escrow_that_closed_under_a_running_booking_is_reported(two_bookings):
    sabotage(Escrow, "UPDATE trading_escrow SET refunded = amount, state = 'closed'")

    assert len(reported("M2")) == 2


@pytest.mark.parametrize("change", ["metered_ms = metered_ms + 3600000", "carry = carry + 1", "owed = owed - 1"])
def test_a_booking_that_is_over_and_owes_something_else_than_was_metered_is_reported(drain, change):
    booking = settled(running(rentable(), funded(10 * AIT)))
    assert booking.state == "settled" and booking.owed
    sound()

    sabotage(GPUBooking, f"{BOOKINGS} {change}")

    assert any("which its rates do not make" in line for line in reported("M2"))
