"""Legacy orders: /gpu/v1/transactions, /marketplace/v1/transactions, /marketplace/v1/marketplace/bids."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aitbc.core.messaging.relay import drain
from apps.marketplace.models import Award, GPUBooking, MarketplaceDemand, MarketplaceOffer
from tests.clients import Api
from tests.marketplace.bidding import BIDS, at_once, balance, provider, renter
from tests.marketplace.renting import sound

GPU, MARKET = "/gpu/v1/transactions", "/marketplace/v1/transactions"


@pytest.fixture(autouse=True)
def books_are_sound():
    yield
    sound()


def send(api, action, *, expect=200, **body):
    answer = api.json("POST", GPU, {"type": "gpu_marketplace", "action": action, **body}, status=expect)
    drain()
    return answer


def offer(api, name="gpu_offer_1_aaaaaaaa", price="0.6", **body):
    specs = {"model": "RTX 4090", "memory_gb": 24}
    payload = {"gpu_count": 2, "duration_hours": 24, "price_per_gpu": price, "specs": specs}
    return send(api, "offer", offer_id=name, provider_node_id="node-b", **{**payload, **body})


def bid(api, name="gpu_bid_1_bbbbbbbb", price="0.7", **body):
    payload = {"gpu_count": 2, "duration_hours": 24, "max_price_per_gpu": price, "specs": {"model": "RTX 4090"}}
    return send(api, "bid", bid_id=name, bidder_node_id="node-a", **{**payload, **body})


def listed(api=None, **query):
    words = "&".join(f"{name}={value}" for name, value in query.items())
    return (api or Api()).json("GET", f"{GPU}?transaction_type=gpu_marketplace&{words}", status=200)


@pytest.mark.parametrize(("price", "found"), [
    ("0.699999", []), ("0.7", [64]), ("70", [64]), ("9223372036854.775807", [64]),
])  # fmt: skip
def test_a_ceiling_per_gpu_fits_whatever_its_size_and_the_number_of_gpus(price, found):
    """The product of the ceiling in micro-AIT and 64 GPUs left the range of an integer: 500."""
    bid(renter(), gpu_count=64)

    assert [item["gpu_count"] for item in listed(action="bid", price_max=price)] == found


def test_an_offer_and_a_bid_are_listed_with_every_field_that_clients_read():
    bob, ann = provider(), renter()
    made = offer(bob, total_price=28.799999999999997, status="matched", id="mine", created_at="1999-01-01T00:00:00")
    assert (made["status"], made["transaction_id"]) == ("success", "gpu_offer_1_aaaaaaaa")
    bid(ann, island_id="island-1")

    (one,) = listed(action="offer")
    assert {
        "action": "offer", "offer_id": "gpu_offer_1_aaaaaaaa", "transaction_id": "gpu_offer_1_aaaaaaaa", "gpu_count": 2,
        "price_per_gpu": "0.600000", "price_per_hour": "0.600000", "duration_hours": 24, "total_price": "28.800000",
        "status": "active", "provider_node_id": "node-b", "model": "RTX 4090", "memory_gb": 24, "region": "",
        "miner_id": "node-b",
    }.items() <= one.items()  # fmt: skip
    assert one["created_at"].startswith("20") and one["id"] != "mine"
    (other,) = listed(action="bid")
    assert {
        "action": "bid", "bid_id": "gpu_bid_1_bbbbbbbb", "gpu_count": 2, "max_price_per_gpu": "0.700000",
        "duration_hours": 24, "max_total_price": "33.600000", "status": "pending", "bidder_node_id": "node-a",
        "island_id": "island-1",
    }.items() <= other.items()  # fmt: skip


def test_a_pending_bid_is_listed_as_active_and_the_filters_filter():
    bob, ann = provider(), renter()
    offer(bob, island_id="north", specs={"model": "H100", "region": "us"}), bid(ann, island_id="south")

    assert {one["action"] for one in listed(status="active")} == {"offer", "bid"}
    assert [one["action"] for one in listed(status="pending")] == ["bid"]
    assert [one["action"] for one in listed(island_id="north")] == ["offer"]
    assert [one["action"] for one in listed(model="h100")] == ["offer"]
    assert [one["action"] for one in listed(model="4090")] == ["bid"]
    assert [one["action"] for one in listed(price_max="0.65")] == ["offer"]
    assert [one["action"] for one in listed(provider_node_id="node-a")] == ["bid"]
    assert [one["bid_id"] for one in listed(order_id="gpu_bid_1_bbbbbbbb")] == ["gpu_bid_1_bbbbbbbb"]
    assert listed(order_id="nothing") == []
    assert Api().get(f"{GPU}?status=banana").status_code == 400
    assert Api().get(f"{GPU}?limit=abc").status_code == 400


def test_a_match_books_at_the_offers_price_once_and_is_answered_the_same_again():
    bob, ann = provider(), renter()
    offer(bob), bid(ann)
    body = {"offer_id": "gpu_offer_1_aaaaaaaa", "bid_id": "gpu_bid_1_bbbbbbbb", "matched_price": 0.01, "total_price": 1}

    first, again = send(ann, "match", **body), send(ann, "match", **body)

    assert first == again
    match = first["transaction"]
    assert {
        "status": "matched", "matched_price": "0.600000", "total_price": "28.800000", "gpu_count": 2,
        "duration_hours": 24, "bidder_node_id": "node-a", "provider_node_id": "node-b",
    }.items() <= match.items()  # fmt: skip
    (booking,) = GPUBooking.objects.all()
    assert (booking.rate, booking.renter_id, booking.provider_id) == (1_200_000, ann.owner_id, bob.owner_id)
    assert Decimal(balance(ann)["available"]) == 1000 - Decimal("28.8")
    (own,) = listed(ann, action="bid")
    assert (own["status"], own["accepted_at"] is not None) == ("matched", True)


def test_a_second_match_of_either_is_refused():
    bob, ann, eve = provider(), renter(), renter("eve")
    offer(bob), offer(bob, "gpu_offer_2"), bid(ann), bid(eve, "gpu_bid_2")
    send(ann, "match", offer_id="gpu_offer_1_aaaaaaaa", bid_id="gpu_bid_1_bbbbbbbb")

    refused = send(ann, "match", offer_id="gpu_offer_2", bid_id="gpu_bid_1_bbbbbbbb", expect=409)
    assert (refused["code"], refused["error"]) == ("order_matched", "order_matched")
    send(eve, "match", offer_id="gpu_offer_1_aaaaaaaa", bid_id="gpu_bid_2", expect=409)


def test_orders_that_do_not_meet_are_not_matched():
    bob, ann = provider(), renter()
    offer(bob, price="0.8"), bid(ann, price="0.7")
    names = {"offer_id": "gpu_offer_1_aaaaaaaa", "bid_id": "gpu_bid_1_bbbbbbbb"}

    assert send(ann, "match", **names, expect=400)["code"] == "bid_over_budget"
    bid(ann, "longer", duration_hours=48, price="1")
    assert send(ann, "match", offer_id="gpu_offer_1_aaaaaaaa", bid_id="longer", expect=409)["code"] == "bid_unfit"
    bid(ann, "more", gpu_count=3, price="1")
    assert send(ann, "match", offer_id="gpu_offer_1_aaaaaaaa", bid_id="more", expect=409)["code"] == "bid_unfit"
    send(ann, "match", offer_id="nothing", bid_id="more", expect=404)
    assert not GPUBooking.objects.exists()


def test_only_a_party_or_an_operator_matches():
    bob, ann, eve = provider(), renter(), renter("eve")
    offer(bob), bid(ann)
    names = {"offer_id": "gpu_offer_1_aaaaaaaa", "bid_id": "gpu_bid_1_bbbbbbbb"}

    assert send(eve, "match", **names, expect=403)["code"] == "not_a_party"
    send(Api(owner="staff", scopes=("operator",)), "match", **names)


def test_nobody_matches_with_themselves():
    both = Api(owner="both", scopes=("trader",))
    offer(both), bid(both)

    refused = send(both, "match", offer_id="gpu_offer_1_aaaaaaaa", bid_id="gpu_bid_1_bbbbbbbb", expect=403)
    assert refused["code"] == "self_bid"


def test_a_provider_accepts_a_bid_at_its_price_with_the_cheapest_offer_that_fits():
    bob, ann = provider(), renter()
    bid(ann)
    assert "post one first" in send(bob, "accept", bid_id="gpu_bid_1_bbbbbbbb", expect=409)["detail"]
    offer(bob, "too-small", gpu_count=1, price="0.1"), offer(bob, "fits")

    done, again = (send(bob, "accept", bid_id="gpu_bid_1_bbbbbbbb", provider_node_id="node-b") for _ in range(2))

    assert done == again
    assert (done["transaction"]["offer_id"], done["transaction"]["matched_price"]) == ("fits", "0.700000")
    other = provider("other")
    offer(other, "late")
    assert send(other, "accept", bid_id="gpu_bid_1_bbbbbbbb", expect=409)["code"] == "order_matched"


def test_a_renter_without_money_cannot_be_matched_and_its_balance_stays_private():
    bob, poor = provider(), renter("poor", ait=1)
    offer(bob), bid(poor)
    names = {"offer_id": "gpu_offer_1_aaaaaaaa", "bid_id": "gpu_bid_1_bbbbbbbb"}

    refused = send(bob, "match", **names, expect=409)

    assert refused["code"] == "renter_cannot_pay" and "1.0" not in refused["detail"]
    assert listed(action="bid")[0]["status"] == "pending"


def test_cancelling_takes_an_order_off_and_only_ones_own():
    bob, ann = provider(), renter()
    offer(bob), bid(ann)

    send(ann, "cancel", order_id="gpu_offer_1_aaaaaaaa", expect=404)
    gone = send(bob, "cancel", order_id="gpu_offer_1_aaaaaaaa", node_id="node-b")["transaction"]
    assert (gone["status"], gone["cancelled_at"] is not None) == ("cancelled", True)
    assert send(ann, "cancel", order_id="gpu_bid_1_bbbbbbbb")["transaction"]["status"] == "cancelled"
    assert listed(status="active") == []
    send(ann, "cancel", order_id="gpu_bid_1_bbbbbbbb", expect=409)
    assert [one["status"] for one in listed(ann)] == ["cancelled"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "marketplace", "action": "bid"}, 400),
        ({"action": "bid"}, 400),
        ({"type": "gpu_marketplace", "action": "steal"}, 400),
        ({"type": "gpu_marketplace", "action": "bid", "max_price_per_gpu": 0}, 400),
        ({"type": "gpu_marketplace", "action": "bid", "max_price_per_gpu": -5}, 400),
        ({"type": "gpu_marketplace", "action": "bid", "max_price_per_gpu": "NaN"}, 400),
        ({"type": "gpu_marketplace", "action": "bid", "max_price_per_gpu": 1, "gpu_count": 0}, 400),
        ({"type": "gpu_marketplace", "action": "bid", "max_price_per_gpu": 1, "duration_hours": 0}, 400),
        ({"type": "gpu_marketplace", "action": "bid", "max_price_per_gpu": 1, "duration_hours": "1e99"}, 400),
        ({"type": "gpu_marketplace", "action": "bid", "max_price_per_gpu": 1, "duration_hours": True}, 400),
        ({"type": "gpu_marketplace", "action": "bid", "max_price_per_gpu": 1, "specs": {"x": "y" * 5000}}, 400),
        ({"type": "gpu_marketplace", "action": "bid"}, 400),
        ({"type": "gpu_marketplace", "action": "match", "bid_id": "x"}, 400),
        ({"type": "gpu_marketplace", "action": "cancel", "order_id": "x"}, 404),
        ({"type": "gpu_marketplace", "action": "offer", "price_per_gpu": 1}, 403),
    ],
)
def test_refusals_are_4xx_with_words(body, status):
    problem = renter().json("POST", GPU, body, status=status)

    assert problem["error"] and problem["detail"]


def test_one_name_is_one_order():
    bob, ann, eve = provider(), renter(), renter("eve")
    offer(bob), bid(ann), bid(eve)

    assert bob.post(GPU, {"type": "gpu_marketplace", "action": "offer", "offer_id": "gpu_offer_1_aaaaaaaa",
                          "price_per_gpu": 1}).status_code == 409  # fmt: skip
    bid_again = {"type": "gpu_marketplace", "action": "bid", "bid_id": "gpu_bid_1_bbbbbbbb", "max_price_per_gpu": 1}
    assert ann.post(GPU, bid_again).status_code == 409
    ambiguous = send(bob, "match", offer_id="gpu_offer_1_aaaaaaaa", bid_id="gpu_bid_1_bbbbbbbb", expect=400)
    assert "Several orders" in ambiguous["detail"]
    send(ann, "match", offer_id="gpu_offer_1_aaaaaaaa", bid_id="gpu_bid_1_bbbbbbbb")
    assert GPUBooking.objects.get().renter_id == ann.owner_id


def test_the_marketplaces_own_transactions_know_offer_list_and_bid():
    bob, ann = provider(), renter()
    for action, body in (
        ("offer", {"provider": "bob", "capacity": 3, "price": 0.5, "gpu_model": "A100", "gpu_memory_gb": 80}),
        ("list", {"name": "box", "seller": "bob", "price": "0.75", "currency": "AIT", "description": "a box"}),
    ):
        bob.json("POST", MARKET, {"type": "marketplace", "action": action, **body}, status=200)
    requested = {"type": "marketplace", "action": "bid", "provider": "ann", "capacity": 2, "price": 1}
    ann.json("POST", MARKET, requested, status=200)

    found = Api().json("GET", MARKET, status=200)

    assert [(one["action"], one["provider"], one["capacity"], one["price"], one["status"]) for one in found] == [
        ("bid", "ann", 2, "1.000000", "pending"), ("offer", "bob", 1, "0.750000", "active"),
        ("offer", "bob", 3, "0.500000", "active"),
    ]  # fmt: skip
    assert (found[2]["gpu_model"], found[2]["gpu_memory_gb"]) == ("A100", 80)
    assert ann.post(MARKET, {"type": "gpu_marketplace", "action": "bid", "price": 1}).status_code == 400


def test_legacy_bids_are_taken_with_202_and_read_back():
    ann = renter()
    made = ann.json("POST", BIDS, {"provider": "ann", "capacity": 4, "price": 0.25, "notes": "soon"}, status=202)

    one = Api().json("GET", f"{BIDS}/{made['id']}", status=200)
    assert {**one, "submitted_at": ""} == {
        "id": made["id"], "provider": "ann", "capacity": 4, "price": "0.250000", "notes": "soon", "status": "pending",
        "submitted_at": "",
    }  # fmt: skip
    assert Api().json("GET", f"{BIDS}?status=pending&provider=ann", status=200) == [one]
    assert Api().json("GET", f"{BIDS}?status=accepted", status=200) == []
    assert Api().get(f"{BIDS}?status=banana").status_code == 400
    assert Api().get(f"{BIDS}/nothing").status_code == 404
    assert ann.post(BIDS, {"provider": "ann", "capacity": 4, "price": 0}).status_code == 400


def posting(api, action, **body):
    """A call for a thread of its own."""
    return lambda: api.post(GPU, {"type": "gpu_marketplace", "action": action, **body}).status_code


@pytest.mark.transaction
def test_two_matches_of_one_bid_at_once_are_one_booking():
    for turn in range(4):
        bob, ann = provider(f"bob-{turn}"), renter(f"ann-{turn}")
        names = [f"offer-{turn}-{number}" for number in range(4)]
        for name in names:
            offer(bob, name)
        bid(ann, f"bid-{turn}")

        answers = at_once(*[posting(ann, "match", bid_id=f"bid-{turn}", offer_id=n) for n in (*names, names[0])])
        drain()

        assert set(answers) <= {200, 409} and 200 in answers
        assert Award.objects.filter(demand__renter_id=ann.owner_id).count() == 1
        assert GPUBooking.objects.filter(renter_id=ann.owner_id).count() == 1


@pytest.mark.transaction
def test_a_cancel_and_a_match_at_once_leave_one_of_the_two():
    for turn in range(4):
        bob, ann = provider(f"bob-{turn}"), renter(f"ann-{turn}")
        offer(bob, f"offer-{turn}"), bid(ann, f"bid-{turn}")

        matched, cancelled, withdrawn = at_once(
            posting(bob, "match", bid_id=f"bid-{turn}", offer_id=f"offer-{turn}"),
            posting(ann, "cancel", order_id=f"bid-{turn}"),
            posting(bob, "cancel", order_id=f"offer-{turn}"),
        )
        drain()

        booked = GPUBooking.objects.filter(renter_id=ann.owner_id).count()
        state = MarketplaceDemand.objects.get(renter_id=ann.owner_id).state
        assert booked == (matched == 200) == (state == "awarded")
        assert (cancelled == 200) == (state == "cancelled")
        assert withdrawn in (200, 409)
        assert MarketplaceOffer.objects.get(provider_id=bob.owner_id).state in ("open", "withdrawn", "booked_out")
