"""Reviews over HTTP: who writes what about whom, once, and what the rating makes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.marketplace.models import GPUBooking, GPUReview, MarketplaceOffer
from apps.marketplace.selectors import clock
from apps.marketplace.selectors.reviews import standing_of
from apps.marketplace.services import reviews
from tests.marketplace.conftest import ROOT
from tests.marketplace.renting import (
    after,
    at,
    rentable,
    running,
    settled,
)


def test_both_parties_review_once_and_the_offer_shows_it(booking, renter, provider, offer, drain):
    path = f"{ROOT}/bookings/{booking.pk}/review"
    early = renter.json("POST", path, {"rating": 5}, status=409)
    settled(booking)

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


def test_strangers_do_not_see_who_rented(booking, renter, provider, anonymous_api, drain):
    settled(booking)
    for party in (renter, provider):
        party.json("POST", f"{ROOT}/bookings/{booking.pk}/review", {"rating": 5}, status=201)

    names = ("booking_id", "rater_id", "subject_id")
    seen = {r["subject"]: [r[name] for name in names] for r in anonymous_api.json("GET", f"{ROOT}/reviews")["items"]}
    own = {r["subject"]: [r[name] for name in names] for r in renter.json("GET", f"{ROOT}/reviews")["items"]}
    legacy = anonymous_api.json("GET", f"{ROOT}/gpu/{booking.offer_id}/reviews", status=200)

    parties = [str(renter.owner_id), str(provider.owner_id)]
    assert seen == {"provider": [None, None, parties[1]], "renter": [None, parties[1], None]}
    assert own == {"provider": [str(booking.pk), *parties], "renter": [str(booking.pk), *reversed(parties)]}
    assert [one["user"].partition("_")[0] for one in legacy["reviews"]] == ["renter"]
    assert str(renter.owner_id) not in str(legacy)


BAD_REVIEWS = [
    {"rating": 6}, {"rating": 0}, {}, {"rating": 5, "text": "x" * 2001}, {"rating": 5, "dimensions": {"charm": 5}},
    {"rating": 5, "subject": "renter"}, {"rating": 4.5},
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_REVIEWS)
def test_a_review_that_makes_no_sense_is_refused(body, booking, renter, drain):
    settled(booking)

    assert renter.json("POST", f"{ROOT}/bookings/{booking.pk}/review", body, status=400)
    assert not GPUReview.objects.exists()


def test_a_review_is_changed_for_two_days_and_answered_once(booking, renter, provider, drain):
    settled(booking)
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
    settled(booking)
    GPUBooking.objects.update(ended_at=clock.now() - timedelta(days=31))

    assert renter.json("POST", f"{ROOT}/bookings/{booking.pk}/review", {"rating": 5}, status=410)


def test_a_hidden_review_is_out_of_sight_and_out_of_the_rating(booking, renter, offer, drain):
    settled(booking)
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
