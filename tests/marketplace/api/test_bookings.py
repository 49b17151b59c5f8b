"""Quotes, bookings and reviews over HTTP: who may do what, in what words it is refused, and once per key."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from aitbc.core import signing
from apps.marketplace.models import GPUBooking, GPUReview, MarketplaceOffer, Quote
from apps.marketplace.selectors import clock
from apps.marketplace.selectors.reviews import standing_of
from apps.marketplace.services import reviews
from tests.marketplace.renting import AIT, HOUR, after, again, at, funded, provisioned, rentable, running, sound

ROOT = "/marketplace/v1/marketplace"


@pytest.fixture
def renter(client_api):
    funded(100 * AIT, client_api.owner_id)
    return client_api


@pytest.fixture
def provider(miner_api):
    funded(100 * AIT, miner_api.owner_id)
    return miner_api


@pytest.fixture
def offer(provider):
    return rentable(provider=provider.owner_id, gpus=2)


@pytest.fixture
def booking(renter, offer, drain):
    """An active booking of one GPU for an hour, made over HTTP."""
    made = renter.json("POST", f"{ROOT}/bookings", {"offer_id": str(offer.pk), "gpu_count": 1, "duration_s": 3600})
    drain()
    row = GPUBooking.objects.get(pk=made["id"])
    provisioned(row)
    drain()
    return again(row)


def settled(booking, drain):
    at(booking.ends_at + timedelta(seconds=1))
    return again(booking)


def test_a_quote_is_itemised_signed_and_open_for_a_minute(renter, offer):
    terms = {"offer_id": str(offer.pk), "gpu_count": 2, "duration_hours": "1.5"}

    quote = renter.json("POST", f"{ROOT}/quotes", terms, status=201)

    body = quote["body"]
    assert (body["total"], body["rate_per_hour"], body["fee"]) == ("3.000000", "2.000000", "0.090000")
    assert [line["amount"] for line in body["items"]] == ["3.000000", "0.000000"]
    assert signing.verify(quote["tag"], body, quote["signature"])
    assert not signing.verify(quote["tag"], {**body, "total": "2.000000"}, quote["signature"])
    assert Quote.objects.get().expires_at - Quote.objects.get().created_at == timedelta(seconds=60)
    assert renter.json("GET", f"{ROOT}/quotes/{quote['id']}", status=200)["body"] == body


def test_a_quote_keeps_the_price_and_is_used_once(renter, offer, drain):
    quote = renter.json("POST", f"{ROOT}/quotes", {"offer_id": str(offer.pk), "gpu_count": 1, "duration_s": 3600})
    MarketplaceOffer.objects.filter(pk=offer.pk).update(price_gpu_hour=9 * AIT)

    booking = renter.json("POST", f"{ROOT}/bookings", {"quote_id": quote["id"]}, status=201)
    twice = renter.json("POST", f"{ROOT}/bookings", {"quote_id": quote["id"]}, status=409)

    assert (booking["rate"], booking["quote_id"]) == ("1.000000", quote["id"])
    assert twice["code"] == "quote_used"
    sound()


def test_an_expired_quote_is_gone_and_a_foreign_one_absent(renter, offer, other_client_api):
    quote = renter.json("POST", f"{ROOT}/quotes", {"offer_id": str(offer.pk), "duration_s": 3600})
    funded(10 * AIT, other_client_api.owner_id)

    assert other_client_api.json("GET", f"{ROOT}/quotes/{quote['id']}", status=404)
    assert other_client_api.json("POST", f"{ROOT}/bookings", {"quote_id": quote["id"]}, status=404)
    Quote.objects.update(expires_at=clock.now())
    assert renter.json("POST", f"{ROOT}/bookings", {"quote_id": quote["id"]}, status=410)["code"] == "quote_expired"


def test_booking_twice_with_one_key_books_once(renter, offer):
    terms = {"offer_id": str(offer.pk), "gpu_count": 1, "duration_s": 3600}

    first = renter.post(f"{ROOT}/bookings", terms, idempotency_key="k")
    second = renter.post(f"{ROOT}/bookings", terms, idempotency_key="k")
    other = renter.post(f"{ROOT}/bookings", {**terms, "duration_s": 7200}, idempotency_key="k")

    assert (first.status_code, second.status_code, other.status_code) == (201, 201, 422)
    assert first.json()["id"] == second.json()["id"]
    assert GPUBooking.objects.count() == 1


BAD = [
    ({"duration_s": 3600}, "offer_id"),
    ({"offer_id": "x", "duration_s": 3600}, "offer_id"),
    ({"offer_id": True}, "duration_s"),
    ({"offer_id": True, "duration_s": 0}, "duration_s"),
    ({"offer_id": True, "duration_s": 10**9}, "duration_s"),
    ({"offer_id": True, "duration_s": 3600, "duration_hours": 1}, "duration_hours"),
    ({"offer_id": True, "duration_s": 3600, "gpu_count": 3}, "gpu_count"),
    ({"offer_id": True, "duration_s": 3600, "starts_at": "2020-01-01T00:00:00Z"}, "starts_at"),
    ({"offer_id": True, "duration_s": 3600, "state": "active"}, "state"),
    ({"offer_id": True, "duration_s": 3600, "price": 1}, "price"),
    ({"quote_id": "0190f3c2-0000-7000-8000-000000000001", "gpu_count": 1}, "gpu_count"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
def test_what_makes_no_sense_is_400_and_names_the_field(renter, offer, body, field):
    sent = {**body, "offer_id": str(offer.pk)} if body.get("offer_id") is True else body

    problem = renter.json("POST", f"{ROOT}/bookings", sent, status=400)

    assert field in [error["field"] for error in problem["errors"]]
    assert not GPUBooking.objects.exists()


def test_refusals_say_what_to_do(renter, provider, offer, api_for):
    poor = api_for("poor", "client")
    terms = {"offer_id": str(offer.pk), "gpu_count": 2, "duration_s": 3600}

    poverty = poor.json("POST", f"{ROOT}/bookings", terms, status=402)
    mine = api_for("miner", "client").json("POST", f"{ROOT}/bookings", terms, status=403)
    renter.json("POST", f"{ROOT}/bookings", terms, status=201)
    taken = renter.json("POST", f"{ROOT}/bookings", terms, status=409)
    absent = renter.json("POST", f"{ROOT}/bookings", {**terms, "offer_id": str(offer.provider_id)}, status=404)

    assert (poverty["needed"], poverty["available"]) == ("2.000000", "0.000000")
    assert mine["code"] == "self_booking"
    assert taken["code"] == "slot_taken"
    assert clock.now() < datetime.fromisoformat(taken["next_free"])
    assert absent["code"] == "offer_not_found"


def test_each_party_sees_its_own_and_nobody_else_does(booking, renter, provider, other_client_api, operator_api):
    path = f"{ROOT}/bookings/{booking.pk}"

    assert renter.json("GET", path, status=200)["role"] == "renter"
    assert provider.json("GET", path, status=200)["role"] == "provider"
    assert other_client_api.json("GET", path, status=404)
    for verb in ("cancel", "end", "extend", "review"):
        body = {"rating": 5} if verb == "review" else {"duration_s": 60} if verb == "extend" else None
        assert other_client_api.json("POST", f"{path}/{verb}", body, status=404)
    assert [b["id"] for b in renter.json("GET", f"{ROOT}/bookings?role=renter")["items"]] == [str(booking.pk)]
    assert renter.json("GET", f"{ROOT}/bookings?role=provider")["items"] == []
    assert provider.json("GET", f"{ROOT}/bookings?state=active,ended")["items"][0]["id"] == str(booking.pk)
    assert provider.json("GET", f"{ROOT}/bookings?state=settled")["items"] == []
    assert provider.json("GET", f"{ROOT}/bookings?state=nonsense", status=400)


def test_the_timeline_has_every_transition(booking, renter):
    timeline = renter.json("GET", f"{ROOT}/bookings/{booking.pk}/events", status=200)

    transitions = [move["to_state"] for move in timeline["items"]]
    assert transitions == ["requested", "reserved", "provisioning", "active"]


def test_only_the_renter_ends_and_extends_only_the_provider_reclaims(booking, renter, provider, api_for):
    path = f"{ROOT}/bookings/{booking.pk}"
    providers_client = api_for("miner", "client")

    assert providers_client.json("POST", f"{path}/end", status=403)["code"] == "not_the_renter"
    assert providers_client.json("POST", f"{path}/extend", {"duration_s": 60}, status=403)
    assert renter.json("POST", f"{path}/reclaim", {}, status=403)["code"] == "not_the_provider"
    assert renter.json("POST", f"{path}/ready", status=403)
    assert provider.json("POST", f"{path}/ready", status=200)["state"] == "active"
    assert again(booking).state == "active"


def test_extending_over_http_waits_for_the_money(booking, renter, drain):
    path = f"{ROOT}/bookings/{booking.pk}"

    terms = renter.json("POST", f"{path}/extend", {"duration_hours": 2, "max_rate": "1"}, status=201)
    drain()

    assert (terms["state"], terms["amount"]) == ("asked", "2.000000")
    shown = renter.json("GET", path)
    assert (shown["escrow"], datetime.fromisoformat(shown["ends_at"])) == ("3.000000", booking.ends_at + 2 * HOUR)
    assert renter.json("GET", f"{path}/extensions")[0]["state"] == "held"
    sound()


def test_cancelling_ending_and_reclaiming_over_http(booking, renter, provider, offer, drain):
    long = running(offer, renter.owner_id, gpu_count=1, duration_s=10 * 3600)

    notice = provider.json("POST", f"{ROOT}/bookings/{long.pk}/reclaim", {"reason": "mine"}, status=200)
    ended = renter.json("POST", f"{ROOT}/bookings/{booking.pk}/end", status=200)
    gone = renter.json("POST", f"{ROOT}/bookings/{booking.pk}/end", status=409)
    cancelled = provider.json("POST", f"{ROOT}/bookings/{long.pk}/cancel", {"reason": "sorry"}, status=200)
    drain()

    assert (notice["state"], ended["state"], cancelled["state"]) == ("reclaiming", "ended", "cancelled_provider")
    assert (gone["state"], gone["allowed"]) == ("ended", ["settled"])
    assert renter.json("GET", f"{ROOT}/bookings/{long.pk}")["outcome"] == "cancelled_provider"
    sound()


def test_the_legacy_route_books_an_hour_of_the_offer(renter, offer):
    booked = renter.json(
        "POST", f"{ROOT}/offers/{offer.pk}/book", {"duration_hours": 1.0, "wallet": "w", "price": 3}, status=201
    )

    assert {"bid_id", "offer_id", "provider", "status", "message", "escrow_contract_id"} <= set(booked)
    assert (booked["status"], booked["gpu_count"], booked["escrow"]) == ("pending", 2, "2.000000")
    assert renter.json("POST", f"{ROOT}/offers/nonsense/book", {}, status=404)


# Reviews.


def test_both_parties_review_once_and_the_offer_shows_it(booking, renter, provider, offer, drain):
    path = f"{ROOT}/bookings/{booking.pk}/review"
    early = renter.json("POST", path, {"rating": 5}, status=409)
    settled(booking, drain)

    mine = renter.json("POST", path, {"rating": 5, "text": "good", "dimensions": {"speed": 4}}, status=201)
    theirs = provider.json("POST", path, {"rating": 4}, status=201)
    twice = renter.json("POST", path, {"rating": 1}, status=409)

    assert (early["code"], twice["code"]) == ("not_settled_yet", "reviewed_already")
    assert (mine["subject"], theirs["subject"]) == ("provider", "renter")
    row = MarketplaceOffer.objects.get(pk=offer.pk)
    assert (row.reviews, row.rating) == (1, pytest.approx(5.0))
    assert len(renter.json("GET", path)["items"]) == 2
    public = renter.json("GET", f"{ROOT}/reviews?subject_id={provider.owner_id}&subject=provider")["items"]
    assert [review["text"] for review in public] == ["good"]


BAD_REVIEWS = [
    {"rating": 6}, {"rating": 0}, {}, {"rating": 5, "text": "x" * 2001}, {"rating": 5, "dimensions": {"charm": 5}},
    {"rating": 5, "subject": "renter"}, {"rating": 4.5},
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_REVIEWS)
def test_a_review_that_makes_no_sense_is_refused(body, booking, renter, drain):
    settled(booking, drain)

    assert renter.json("POST", f"{ROOT}/bookings/{booking.pk}/review", body, status=400)
    assert not GPUReview.objects.exists()


def test_a_review_is_changed_for_two_days_and_answered_once(booking, renter, provider, drain):
    settled(booking, drain)
    path = f"{ROOT}/bookings/{booking.pk}/review"
    review = renter.json("POST", path, {"rating": 5, "text": "good"}, status=201)
    answer = f"{ROOT}/reviews/{review['id']}/reply"

    assert renter.json("PATCH", path, {"rating": 2}, status=200)["rating"] == 2
    assert provider.json("PATCH", path, {"rating": 2}, status=404)
    assert renter.json("POST", answer, {"text": "me"}, status=403)
    assert provider.json("POST", answer, {"text": "thanks"}, status=200)["reply"] == "thanks"
    assert provider.json("POST", answer, {"text": "again"}, status=409)["code"] == "answered_already"
    GPUReview.objects.update(created_at=clock.now() - timedelta(hours=49))
    assert renter.json("PATCH", path, {"rating": 3}, status=410)["code"] == "review_too_late"


def test_after_thirty_days_it_is_too_late(booking, renter, drain):
    settled(booking, drain)
    GPUBooking.objects.update(ended_at=clock.now() - timedelta(days=31))

    assert renter.json("POST", f"{ROOT}/bookings/{booking.pk}/review", {"rating": 5}, status=410)


def test_a_hidden_review_is_out_of_sight_and_out_of_the_rating(booking, renter, offer, drain):
    settled(booking, drain)
    written = renter.json("POST", f"{ROOT}/bookings/{booking.pk}/review", {"rating": 1}, status=201)

    reviews.hide(review=GPUReview.objects.get(pk=written["id"]), reason="abuse")

    assert renter.json("GET", f"{ROOT}/reviews")["items"] == []
    row = MarketplaceOffer.objects.get(pk=offer.pk)
    assert (row.reviews, row.rating) == (0, None)
    own = renter.json("GET", f"{ROOT}/bookings/{booking.pk}/review")["items"]
    assert [review["hidden"] for review in own] == [True]


def test_who_rents_from_each_other_moves_no_rating(booking, renter, provider, offer, drain):
    back = running(rentable(provider=renter.owner_id), provider.owner_id)
    at(after(back, minutes=70))

    review = renter.json("POST", f"{ROOT}/bookings/{booking.pk}/review", {"rating": 5}, status=201)
    provider.json("POST", f"{ROOT}/bookings/{back.pk}/review", {"rating": 1}, status=201)

    assert review["reciprocal"] is True
    row = MarketplaceOffer.objects.get(pk=offer.pk)
    assert (row.reviews, row.rating) == (1, pytest.approx(3.0, abs=2.0))
    standing = standing_of(provider.owner_id)
    assert standing.rating == pytest.approx(standing.market_mean)
