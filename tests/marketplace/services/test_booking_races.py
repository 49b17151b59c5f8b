"""Many at once for one slot: one has it, the others are refused, whatever the interleaving."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections

from aitbc.core.errors import DomainError
from apps.marketplace.models import BookingSlice, GPUBooking
from apps.marketplace.selectors import clock
from apps.marketplace.services import bookings, extensions, provisioning, sweeps
from tests.marketplace.renting import AIT, HOUR, again, booked, funded, rentable, reserved, running, sound

pytestmark = pytest.mark.transaction


def together(calls):
    """Run all of these at once; what each returned, or the name of the problem it raised."""

    def one(call):
        try:
            return call()
        except DomainError as error:
            return error.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def events(results):
    return Counter(result if isinstance(result, str) else "won" for result in results)


def test_fifty_want_one_slot_and_one_has_it(drain):
    renters = [funded(2 * AIT) for _ in range(50)]
    for _ in range(5):
        offer = rentable()

        results = together([lambda who=renter, o=offer: booked(o, who) for renter in renters[:25]] * 2)

        assert events(results) == {"won": 1, "slot_taken": 49}
        assert BookingSlice.objects.filter(slot=offer.slots[0], live=True).count() == 1
    sound()


def test_five_slots_are_sold_to_five_of_twenty(drain):
    offer = rentable(gpus=5)
    renters = [funded(2 * AIT) for _ in range(20)]

    results = together([lambda who=renter: booked(offer, who, gpu_count=1) for renter in renters])

    assert events(results) == {"won": 5, "slot_taken": 15}
    sound()


def test_wide_bookings_over_the_same_slots_never_share_one_and_never_wait_in_a_circle(drain):
    offer = rentable(gpus=4)
    other = rentable(gpus=4, slots=list(reversed(offer.slots)), provider=offer.provider_id)
    renters = [funded(20 * AIT) for _ in range(16)]

    together(
        [
            lambda who=renter, n=number: booked(offer if n % 2 else other, who, gpu_count=1 + n % 3)
            for number, renter in enumerate(renters)
        ]
    )

    assert BookingSlice.objects.filter(live=True).count() <= 4
    sound()


def test_an_extension_and_a_later_booking_meet(drain):
    for _ in range(5):
        offer = rentable()
        booking = reserved(offer, funded(), starts_at=clock.now() + HOUR)
        later = funded()

        together(
            [
                lambda b=booking: extensions.extend(booking=b, seconds=3600, actor="test"),
                lambda o=offer, b=booking, who=later: booked(o, who, starts_at=b.ends_at),
            ]
        )

        drain()
        spans = [piece.period for piece in BookingSlice.objects.filter(slot=offer.slots[0], live=True)]
        assert max(span.upper for span in spans) == booking.ends_at + HOUR
    sound()


def test_cancel_ready_and_the_sweep_meet(drain):
    for _ in range(5):
        renter = funded()
        booking = reserved(rentable(), renter)
        late = clock.now() + timedelta(seconds=601)

        results = together(
            [
                lambda b=booking, who=renter: bookings.cancel(booking=b, party_id=who, actor="test"),
                lambda b=booking: provisioning.ready(booking=b, actor="test"),
                lambda now=late: sweeps.run(now=now),
                lambda now=late: sweeps.run(now=now),
            ]
        )

        drain()
        assert results
        assert again(booking).state in ("settled", "active")
    sound()


def test_two_sweeps_at_once_share_the_work(drain):
    running_ones = [running(rentable(), funded()) for _ in range(8)]
    late = max(booking.ends_at for booking in running_ones) + timedelta(seconds=1)

    together([lambda: sweeps.run(now=late)] * 4)
    drain()

    assert set(GPUBooking.objects.values_list("state", flat=True)) == {"settled"}
    sound()


def test_a_quote_is_used_once_by_many_at_once(drain):
    from apps.marketplace.services import quotes

    offer, renter = rentable(gpus=10), funded(100 * AIT)
    quote = quotes.make(offer=offer, renter_id=renter, gpu_count=1, duration_s=3600)

    results = together(
        [lambda: bookings.book(offer=offer, renter_id=renter, quote=quote, actor="test") for _ in range(8)]
    )

    assert events(results) == {"won": 1, "quote_used": 7}
    sound()
