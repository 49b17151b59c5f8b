"""Bookings over HTTP: who may do what, in what words it is refused, and once per key."""

from __future__ import annotations

from datetime import datetime

import pytest

from apps.marketplace.models import GPUBooking
from apps.marketplace.selectors import clock
from tests.marketplace.renting import HOUR, again, running, sound

ROOT = "/marketplace/v1/marketplace"


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
    assert absent["code"] == "not_found"


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
