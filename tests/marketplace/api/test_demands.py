"""Demands and bids over HTTP: who may do what, what is refused, and where the bonds are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from aitbc.core import params
from apps.marketplace.models import MarketplaceBid, MarketplaceDemand
from apps.marketplace.selectors import clock
from apps.marketplace.services import auction_clearing
from tests.clients import Api
from tests.marketplace import bidding
from tests.marketplace.bidding import BIDS, DEMANDS, bid, demand, offer_of, provider, renter, shown, states
from tests.marketplace.renting import funded, sound


@pytest.fixture(autouse=True)
def books_are_sound():
    yield
    sound()


def free(api: Api) -> Decimal:
    return Decimal(bidding.balance(api)["available"])


def test_a_published_demand_is_public_and_a_draft_is_its_renters():
    ann = renter()
    draft, public = demand(ann, draft=True, title="mine"), demand(ann, title="everybody's")

    assert (draft["state"], public["state"]) == ("draft", "open")
    assert [one["id"] for one in Api().json("GET", DEMANDS, status=200)["items"]] == [public["id"]]
    assert Api().get(f"{DEMANDS}/{draft['id']}").status_code == 404
    mine = ann.json("GET", f"{DEMANDS}?mine=true", status=200)["items"]
    assert {one["id"] for one in mine} == {draft["id"], public["id"]}
    assert Api().get(f"{DEMANDS}?mine=true").status_code == 400

    assert ann.json("POST", f"{DEMANDS}/{draft['id']}/publish", status=200)["state"] == "open"
    assert Api().json("GET", f"{DEMANDS}/{draft['id']}", status=200)["mine"] is False


def test_others_can_neither_publish_nor_cancel_nor_award():
    ann, eve = renter(), renter("eve")
    requested = demand(ann, draft=True)

    for verb, body in (("publish", None), ("cancel", {}), ("award", {"bid_id": requested["id"]})):
        assert eve.post(f"{DEMANDS}/{requested['id']}/{verb}", body).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("budget_hour", "0"), ("budget_hour", "-1"), ("budget_hour", "1e30"), ("gpu_count", 0), ("duration_s", 0),
        ("closes_at", "2020-01-01T00:00:00Z"), ("start_by", "2020-01-01T00:00:00Z"), ("reserve_hour", "3"),
        ("weights", {"price": 5000}), ("weights", {"price": 0, "quality": 10000}), ("filter", "gpu_rum>=8"),
        ("constraints", "offer.gpu_rum > 8"), ("constraints", "'" + "\\" * 500), ("state", "awarded"),
        ("auction", "dutch"),
    ],
)  # fmt: skip
def test_a_demand_that_makes_no_sense_is_refused(field, value):
    problem = renter().json("POST", DEMANDS, {"budget_hour": "2", "duration_s": 3600, field: value}, status=400)

    shown_reason = str(problem["errors"]) + problem["title"].lower() + problem["code"]
    assert field.split("_")[0] in shown_reason, problem


def test_a_bid_holds_a_bond_and_withdrawing_gives_it_back():
    bob = provider()
    requested = demand(renter())
    made = bid(bob, requested, offer_of(bob), "1.5")

    assert states(requested) == {made["id"]: "open"}
    assert free(bob) == 100 - Decimal("1.5")
    assert made["gpu_snapshot"]["model"] == "GeForce RTX 4090"
    assert (made["gpu_snapshot"]["memory_mb"], made["gpu_snapshot"]["benchmark"]) == (24_576, "200.000")

    assert bob.json("POST", f"{BIDS}/{made['id']}/withdraw", status=200)["state"] == "withdrawn"
    sound()
    assert free(bob) == 100
    assert bob.post(f"{BIDS}/{made['id']}/withdraw").status_code == 409


def test_a_cheap_bid_holds_the_least_bond():
    bob = provider()
    made = bid(bob, demand(renter()), offer_of(bob), "0.000001")

    assert Decimal(made["bond"]) * 1_000_000 == params.get("market.bid_bond_min")


def test_who_cannot_pledge_is_refused_at_once_and_nothing_changes():
    poor = provider("poor", ait=0)
    requested = demand(renter())

    problem = bid(poor, requested, offer_of(poor), "1.5", status=402)

    assert (problem["needed"], problem["available"]) == ("1.500000", "0.000000")
    assert states(requested) == {}


def test_a_bond_that_trading_refuses_rejects_the_bid(monkeypatch):
    """Between the look at the balance and the hold the money went elsewhere."""
    poor = provider("poor", ait=0)
    requested = demand(renter())
    monkeypatch.setattr("apps.marketplace.services.bids.available", lambda owner: 10**12)

    made = bid(poor, requested, offer_of(poor), "1.5")

    assert (made["state"], states(requested)) == ("pending", {made["id"]: "rejected"})


def test_nobody_bids_for_their_own_demand():
    both = Api(owner="both", scopes=("client", "miner"))
    funded(10_000_000, both.owner_id)

    assert bid(both, demand(both), offer_of(both), "1", status=403)["code"] == "self_bid"


@pytest.mark.parametrize(("price", "status", "code"), [("2.000001", 400, "bid_over_budget"), ("0", 400, "bid_invalid")])
def test_a_bid_is_more_than_nothing_and_within_the_budget(price, status, code):
    bob = provider()

    assert bid(bob, demand(renter()), offer_of(bob), price, status=status)["code"] == code
    assert free(bob) == 100


@pytest.mark.parametrize(
    ("requirement", "registered_gpu", "why"),
    [
        ({"gpu_count": 2}, {}, "1 GPUs and 2"),
        ({"gpu_models": ["H100"]}, {}, "none of H100"),
        ({"min_memory_mb": 80_000}, {}, "memory"),
        ({"region": "us"}, {"region": "eu-de"}, "us is wanted"),
        ({"filter": "gpu_ram>=80"}, {}, "filter"),
        ({"constraints": "provider.rating > 4"}, {}, "rating is not known"),
        ({"constraints": "offer.price_gpu_hour < 0.5"}, {}, "not met"),
        ({}, {"constraints": "renter.bookings > 10"}, "the offer: the constraint is not met"),
        ({}, {"constraints": "demand.duration_hours >= 24"}, "the offer"),
        ({}, {"max_duration_s": 600}, "600 seconds"),
        ({}, {"rentable": False}, "cannot be reached"),
        ({}, {"state": "paused"}, "paused"),
    ],
)
def test_an_offer_that_does_not_fit_cannot_bid_and_hears_why(requirement, registered_gpu, why):
    bob = provider()

    problem = bid(bob, demand(renter(), **requirement), offer_of(bob, **registered_gpu), "1", status=409)

    assert (problem["code"], why in problem["detail"]) == ("bid_unfit", True), problem


@pytest.mark.parametrize(
    ("requirement", "registered_gpu"),
    [
        ({"gpu_models": ["nvidia rtx_4090", "H100"]}, {}),
        ({"region": "eu"}, {"region": "EU-DE"}),
        ({"filter": "gpu_ram>=16 dph<2"}, {}),
        ({"constraints": "offer.verified && offer.benchmark > 150"}, {}),
        ({}, {"constraints": "renter.organisation == 'renter' && demand.gpu_count == 1"}),
    ],
)
def test_an_offer_that_fits_can_bid(requirement, registered_gpu):
    bob = provider()

    assert bid(bob, demand(renter(), **requirement), offer_of(bob, **registered_gpu), "1")["state"] == "pending"


def test_an_offer_bids_once_and_only_its_provider_bids_with_it():
    bob, eve = provider(), provider("eve")
    offer, requested = offer_of(bob), demand(renter())
    bid(bob, requested, offer, "1")

    assert bid(bob, requested, offer, "0.9", status=409)["code"] == "bid_stands"
    assert bid(eve, requested, offer, "0.9", status=404)["code"] == "not_found"


def test_a_full_book_takes_a_better_bid_and_gives_the_worst_its_bond_back(monkeypatch):
    monkeypatch.setitem(params.overrides(), "market.order_max_bids", 2)
    (a, first), (b, second), (c, third) = bidding.bidders(3)
    requested = demand(renter())
    worst = bid(a, requested, first, "1.5")
    kept = bid(b, requested, second, "1")

    assert bid(c, requested, third, "1.499", status=409)["code"] == "book_full"
    better = bid(c, requested, third, "1.2")

    assert states(requested) == {worst["id"]: "rejected", kept["id"]: "open", better["id"]: "open"}
    sound()
    assert free(a) == 100


def test_cancelling_gives_all_bonds_back():
    (a, first), (b, second) = bidding.bidders(2)
    ann = renter()
    requested = demand(ann)
    bid(a, requested, first, "1"), bid(b, requested, second, "1.1")

    assert ann.json("POST", f"{DEMANDS}/{requested['id']}/cancel", {}, status=200)["state"] == "cancelled"
    sound()

    assert set(states(requested).values()) == {"lost"}
    assert (free(a), free(b)) == (100, 100)
    assert bid(a, requested, first, "1", status=409)["code"] == "demand_not_open"


def test_a_bid_expires_by_itself():
    bob = provider()
    requested = demand(renter())
    made = bid(bob, requested, offer_of(bob), "1", expires_at=bidding.in_an_hour())
    MarketplaceBid.objects.filter(pk=made["id"]).update(expires_at=clock.now() - timedelta(seconds=1))

    auction_clearing.run()
    sound()

    assert (states(requested), free(bob)) == ({made["id"]: "expired"}, 100)


def test_bidders_are_aliases_to_everybody_but_themselves_and_the_renter():
    bob, ann = provider(), renter()
    requested, path = demand(ann), "bids"
    bid(bob, requested, offer_of(bob), "1", note="fast network")

    (public,) = Api().json("GET", f"{DEMANDS}/{requested['id']}/{path}", status=200)["items"]
    (private,) = ann.json("GET", f"{DEMANDS}/{requested['id']}/{path}", status=200)["items"]
    (own,) = bob.json("GET", f"{BIDS}/mine", status=200)["items"]

    assert [public[name] for name in ("bidder_id", "offer_id", "bond", "note")] == [None] * 4
    assert public["bidder"] == private["bidder"] == own["bidder"]
    assert private["bidder_id"] == own["bidder_id"] == str(bob.owner_id)
    assert own["mine"] and not private["mine"]


def test_a_standing_demand_that_is_too_late_expires():
    requested = demand(renter(), closes_at=None, start_by=bidding.in_an_hour())
    MarketplaceDemand.objects.filter(pk=requested["id"]).update(start_by=clock.now() - timedelta(seconds=1))

    auction_clearing.run()

    assert shown(requested)["state"] == "expired"


def test_the_same_request_key_asks_once():
    ann = renter()
    body = {"budget_hour": "2", "duration_s": 3600, "closes_at": bidding.in_an_hour()}

    first, again = (ann.json("POST", DEMANDS, body, status=201, idempotency_key="k") for _ in range(2))

    assert first["id"] == again["id"]


def test_a_bid_shows_the_day_of_its_benchmark_and_not_the_moment():
    """The moment of an offer's benchmark is public: by it a bidder's alias was its owner."""
    requested = demand(renter())
    miner = provider()
    verified_at = datetime(2026, 11, 20, 10, 11, 12, 345678, tzinfo=UTC)
    bid(miner, requested, offer_of(miner, verified=True, verified_at=verified_at), "0.5")

    (shown_bid,) = Api().json("GET", f"/marketplace/v1/marketplace/demands/{requested['id']}/bids", status=200)["items"]

    assert shown_bid["gpu_snapshot"]["verified_at"] == "2026-11-20"
