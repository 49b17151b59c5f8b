"""Auctions cleared: who wins, what is booked and paid, what the proof says and that nobody can bend it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from aitbc.core.messaging.relay import drain
from apps.marketplace.models import Award, GPUBooking, MarketplaceBid, MarketplaceDemand, Outbox
from apps.marketplace.selectors import clock
from apps.marketplace.services import auction_clearing, bookings, sweeps
from tests.clients import Api
from tests.marketplace import bidding
from tests.marketplace.bidding import (
    DEMANDS,
    at_once,
    award_of,
    bid,
    bidders,
    closed,
    demand,
    offer_of,
    provider,
    renter,
    shown,
    states,
)
from tests.marketplace.renting import booked, funded, provisioned, sound


@pytest.fixture(autouse=True)
def books_are_sound(request):
    yield
    if "broken" not in request.node.name:
        sound()


def free(api: Api) -> Decimal:
    return Decimal(bidding.balance(api)["available"])


def test_the_best_bid_wins_is_booked_at_its_price_and_the_others_get_their_bonds_back():
    ann, ((a, first), (b, second), (c, third)) = renter(), bidders(3)
    requested = demand(ann, weights={"price": 10000})
    prices = ((a, first, "1.5"), (b, second, "1.2"), (c, third, "1.9"))
    ids = [bid(api, requested, offer, price)["id"] for api, offer, price in prices]

    assert closed(requested)["state"] == "awarded"

    award = award_of(requested, ann)
    booking = GPUBooking.objects.get(pk=award["booking_id"])
    assert (award["bid_id"], award["price_hour"]) == (ids[1], "1.200000")
    assert (booking.rate, booking.renter_id, booking.provider_id) == (1_200_000, ann.owner_id, b.owner_id)
    assert states(requested) == {ids[0]: "lost", ids[1]: "won", ids[2]: "lost"}
    assert (free(a), free(c)) == (100, 100)
    assert free(ann) == 1000 - Decimal("1.2")
    assert award_of(requested)["booking_id"] is None


def test_second_score_pays_the_winner_the_highest_price_that_wins():
    ann, ((a, first), (b, second)) = renter(), bidders(2)
    requested = demand(ann, auction="second_score", weights={"price": 10000})
    bid(a, requested, first, "1"), bid(b, requested, second, "1.6")
    closed(requested)

    assert award_of(requested)["price_hour"] == "1.600000"


def test_quality_counts_as_much_as_the_weights_say():
    ann, good, cheap = renter(), provider("good"), provider("cheap")
    requested = demand(ann, weights={"price": 4000, "quality": 4000, "reliability": 2000})
    bid(cheap, requested, offer_of(cheap, benchmark=20.0, reliability=0.5), "1")
    best = bid(good, requested, offer_of(good, benchmark=400.0, reliability=0.95), "1.5")
    closed(requested)

    assert award_of(requested)["bid_id"] == best["id"]


def test_a_lone_bidder_is_paid_the_reserve_under_second_score():
    bob = provider()
    requested = demand(renter(), auction="second_score", reserve_hour="1.4")
    bid(bob, requested, offer_of(bob), "0.8")
    closed(requested)

    assert award_of(requested)["price_hour"] == "1.400000"


def test_without_bids_the_demand_has_failed():
    requested = demand(renter())

    assert closed(requested)["state"] == "failed_no_bids"
    assert Api().get(f"{DEMANDS}/{requested['id']}/award").status_code == 404


def test_an_offer_that_no_longer_fits_does_not_win_and_the_proof_says_why():
    (a, first), (b, second) = bidders(2)
    requested = demand(renter())
    gone, next_best = bid(a, requested, first, "1"), bid(b, requested, second, "1.5")
    first.advance("paused", actor="test")
    closed(requested)

    award = award_of(requested)
    refused = {one["id"]: one["refused"] for one in award["proof"]["inputs"]["bids"]}
    assert award["bid_id"] == next_best["id"]
    assert refused == {gone["id"]: "it is paused", next_best["id"]: ""}


def test_when_the_winners_slots_are_gone_the_next_best_wins():
    (a, first), (b, second) = bidders(2)
    requested = demand(renter())
    sold, next_best = bid(a, requested, first, "1"), bid(b, requested, second, "1.5")
    booked(first, funded())
    closed(requested)

    refused = {one["id"]: one["refused"] for one in award_of(requested)["proof"]["inputs"]["bids"]}
    assert award_of(requested)["bid_id"] == next_best["id"]
    assert "it could not be booked" in refused[sold["id"]]


def test_a_renter_who_cannot_pay_gets_nothing_and_all_bonds_go_back():
    bob = provider()
    requested = demand(renter("poor", ait=0))
    bid(bob, requested, offer_of(bob), "1")

    after = closed(requested)

    assert (after["state"], after["reason"]) == ("expired", "its renter could not pay for it")
    assert free(bob) == 100


def test_a_renter_whose_money_is_gone_when_trading_looks_leaves_the_demand_expired(monkeypatch):
    bob, ann = provider(), renter("poor", ait=0)
    requested = demand(ann)
    bid(bob, requested, offer_of(bob), "1")
    monkeypatch.setattr(bookings, "available", lambda owner: 10**12)
    closed(requested)

    auction_clearing.run()
    drain()

    assert (shown(requested)["state"], shown(requested)["reason"]) == ("expired", "its booking: insufficient_funds")
    assert free(bob) == 100


def test_a_demand_is_fulfilled_when_its_booking_is_paid_for():
    bob = provider()
    requested = demand(renter(), duration_s=60)
    bid(bob, requested, offer_of(bob), "1")
    closed(requested)
    booking = GPUBooking.objects.get(demand_id=requested["id"])
    provisioned(booking)
    drain()

    sweeps.run(now=clock.now() + timedelta(minutes=2))
    drain()
    auction_clearing.run()

    assert shown(requested)["state"] == "fulfilled"


def test_whoever_looks_first_clears_an_auction_whose_time_is_over():
    bob = provider()
    requested = demand(renter())
    bid(bob, requested, offer_of(bob), "1")
    bidding.time_is_over(requested)

    assert shown(requested)["state"] == "awarded"


def test_a_bid_whose_bond_is_on_its_way_is_waited_for():
    bob = provider()
    requested = demand(renter())
    body = {"offer_id": str(offer_of(bob).pk), "price_hour": "1"}
    bob.json("POST", f"{DEMANDS}/{requested['id']}/bids", body, status=201)
    made = MarketplaceBid.objects.get(demand_id=requested["id"])
    made.demand.__class__.objects.filter(pk=requested["id"]).update(closes_at=clock.now())

    assert shown(requested)["state"] == "closing"
    drain()
    assert shown(requested)["state"] == "awarded"


def test_after_the_close_nobody_bids_withdraws_or_cancels():
    ann, bob = renter(), provider()
    requested = demand(ann)
    made = bid(bob, requested, offer_of(bob), "1")
    bidding.time_is_over(requested)

    assert ann.post(f"{DEMANDS}/{requested['id']}/cancel", {}).status_code == 409
    assert bob.post(f"/marketplace/v1/marketplace/bids/{made['id']}/withdraw").status_code == 409
    assert bid(bob, requested, offer_of(bob), "0.5", status=409)["code"] == "demand_not_open"


def test_the_renter_may_take_any_bid_that_stands():
    ann, ((a, first), (b, second)) = renter(), bidders(2)
    requested = demand(ann, closes_at=None)
    bid(a, requested, first, "1")
    dearer = bid(b, requested, second, "1.5")

    award = ann.json("POST", f"{DEMANDS}/{requested['id']}/award", {"bid_id": dearer["id"]}, status=200)
    drain()

    assert (award["bid_id"], award["price_hour"]) == (dearer["id"], "1.500000")
    assert (award["proof"]["inputs"]["mode"], shown(requested)["state"]) == ("choice", "awarded")
    again = ann.post(f"{DEMANDS}/{requested['id']}/award", {"bid_id": dearer["id"]})
    assert again.status_code == 409


def test_a_choice_that_cannot_be_paid_changes_nothing():
    bob, poor = provider(), renter("poor", ait=0)
    requested = demand(poor, closes_at=None)
    made = bid(bob, requested, offer_of(bob), "1")

    assert poor.post(f"{DEMANDS}/{requested['id']}/award", {"bid_id": made["id"]}).status_code == 402
    assert poor.post(f"{DEMANDS}/{requested['id']}/award", {"bid_id": requested["id"]}).status_code == 404
    assert (shown(requested)["state"], states(requested)) == ("open", {made["id"]: "open"})


@pytest.mark.transaction
def test_many_clearings_at_once_award_once():
    ann, pairs = renter(), bidders(3)
    requested = demand(ann)
    for number, (api, offer) in enumerate(pairs):
        bid(api, requested, offer, f"1.{number}")
    bidding.time_is_over(requested)

    found = at_once(*[lambda: auction_clearing.clear(requested["id"])] * 8)
    drain()

    assert set(found) <= {None, "awarded"} and "awarded" in found
    assert Award.objects.filter(demand_id=requested["id"]).count() == 1
    assert GPUBooking.objects.filter(demand_id=requested["id"]).count() == 1


@pytest.mark.transaction
def test_a_cancel_and_a_clearing_at_once_leave_one_of_the_two():
    for turn in range(5):
        ann, bob = renter(f"ann-{turn}"), provider(f"bob-{turn}")
        requested = demand(ann, closes_at=None)
        made = bid(bob, requested, offer_of(bob), "1")

        def choose(ann=ann, requested=requested, made=made):
            return ann.post(f"{DEMANDS}/{requested['id']}/award", {"bid_id": made["id"]}).status_code

        def cancel(ann=ann, requested=requested):
            return ann.post(f"{DEMANDS}/{requested['id']}/cancel", {}).status_code

        def withdraw(bob=bob, made=made):
            return bob.post(f"/marketplace/v1/marketplace/bids/{made['id']}/withdraw").status_code

        answers = at_once(choose, cancel, withdraw)
        drain()

        assert set(answers) <= {200, 404, 409}
        won = GPUBooking.objects.filter(demand_id=requested["id"]).count()
        assert won == (shown(requested)["state"] == "awarded")
        if not won:
            assert free(bob) == 100


def test_a_bond_whose_request_is_still_under_way_is_not_requested_again():
    (api, offer), requested = bidders(1)[0], demand(renter())
    body = {"offer_id": str(offer.pk), "price_hour": "1"}
    api.json("POST", f"{DEMANDS}/{requested['id']}/bids", body, status=201)
    MarketplaceBid.objects.update(created_at=clock.now() - timedelta(minutes=2))

    for _ in range(3):
        auction_clearing.run()

    assert Outbox.objects.filter(name="marketplace.bond.asked.v1").count() == 1


def test_an_auction_that_fails_holds_up_neither_bids_nor_standing_demands(monkeypatch):
    (api, offer), requested = bidders(1)[0], demand(renter())
    late = bid(api, requested, offer, "1")
    forgotten = demand(renter(), draft=True)
    MarketplaceBid.objects.filter(pk=late["id"]).update(expires_at=clock.now() - timedelta(seconds=1))
    MarketplaceDemand.objects.filter(pk=forgotten["id"]).update(created_at=clock.now() - timedelta(days=31))
    bidding.time_is_over(requested)
    monkeypatch.setattr(auction_clearing, "decide", lambda *args: 1 // 0)

    with pytest.raises(ZeroDivisionError):
        auction_clearing.run()

    assert MarketplaceBid.objects.get(pk=late["id"]).state == "expired"
    assert MarketplaceDemand.objects.get(pk=forgotten["id"]).state == "expired"
