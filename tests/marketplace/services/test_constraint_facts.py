"""A direct booking and a demand are judged by the same facts of the renter, and an award by those of its demand."""

from __future__ import annotations

import pytest

from apps.marketplace.errors import RenterRefused
from apps.marketplace.models import GPUBooking
from apps.marketplace.selectors import clock
from apps.marketplace.services import constraint_facts, terms
from tests.clients import Api
from tests.marketplace.bidding import bid, closed, demand, offer_of, provider, renter
from tests.marketplace.renting import booked, rentable

EVERY_FACT = " && ".join(
    [
        "renter.organisation == 'renter'", "renter.bookings == 0", "!has(renter.rating)", "demand.gpu_count == 1",
        "demand.duration_hours == 1", "demand.budget_hour <= 2",
    ]
)  # fmt: skip


def facts_of_a_direct_booking(api: Api, **offer_fields):
    offer = rentable(**offer_fields)
    now = clock.now()
    return terms.facts_of(terms.proposed(offer=offer, renter_id=api.owner_id, now=now, duration_s=3600))


def test_who_rents_is_the_same_to_a_direct_booking_and_to_a_demand():
    ann = renter()

    facts = facts_of_a_direct_booking(ann)

    assert facts["renter"] == constraint_facts.renter_facts(ann.owner_id)
    assert facts["renter"]["organisation"] == "renter"


def test_both_ways_to_a_booking_name_the_same_facts():
    ann, bob = renter(), provider()
    offer = offer_of(bob, constraints=EVERY_FACT)

    booked(offer, ann.owner_id)
    requested = demand(ann, gpu_models=["RTX 4090"])
    bid(bob, requested, offer_of(bob, constraints=EVERY_FACT), "1")

    assert closed(requested)["state"] in ("awarded", "fulfilled")
    assert GPUBooking.objects.filter(renter_id=ann.owner_id).count() == 2


def test_an_award_is_booked_by_the_facts_its_bid_was_judged_by():
    ann, bob = renter(), provider()
    offer = offer_of(bob, constraints="demand.auction == 'pay_as_bid' && demand.gpu_models.exists(m, m == 'RTX 4090')")
    requested = demand(ann, gpu_models=["RTX 4090"])
    bid(bob, requested, offer, "1")

    assert closed(requested)["state"] in ("awarded", "fulfilled")


def test_what_a_direct_booking_does_not_know_is_absent():
    with pytest.raises(RenterRefused):
        booked(rentable(constraints="demand.auction == 'pay_as_bid'"), renter().owner_id)

    booked(rentable(constraints="!has(demand.auction) && demand.region == 'de'"), renter("other").owner_id)
