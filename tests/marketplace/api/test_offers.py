"""Offers over HTTP: made, read, edited by revision, paused, withdrawn, cloned; and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from apps.marketplace.models import MarketplaceOffer, OfferRevision, OfferTransition
from apps.marketplace.services import offer_rules
from tests.marketplace.conftest import OFFERS
from tests.marketplace.gpus import registered_gpu
from tests.marketplace.renting import funded, rentable, running

SPECS = {"gpu_model": "RTX 3090", "memory_mb": 24576, "gpu_count": 2}


def errors_of(answer):
    return {one["field"]: one["message"] for one in answer["errors"]}


def test_an_offer_over_a_card_says_what_the_card_is(miner_api, offered):
    made = offered(price_gpu_hour="0.42", title="quiet room")

    assert (made["state"], made["backed"], made["gpu_count"], made["revision"]) == ("open", True, 1, 1)
    assert (made["gpu_model"], made["memory_mb"], made["verified"], made["region"]) == (
        "GeForce RTX 4090", 24564, True, "eu-de",
    )  # fmt: skip
    assert (made["price_gpu_hour"], made["price"], made["gpu_memory_gb"]) == ("0.420000", 0.42, 24)
    assert made["rentable"] and made["score"] > 0
    assert made["slots"] and made["miner_id"] and made["provider_id"] == str(miner_api.owner_id)
    assert OfferRevision.objects.get(offer=made["id"]).changes == {}
    steps = OfferTransition.objects.filter(subject_id=made["id"]).order_by("seq")
    assert [(one.from_state, one.to_state) for one in steps] == [("", "draft"), ("draft", "open")]


def test_an_offer_over_several_cards_promises_what_the_least_keeps(miner_api):
    miner = uuid4()
    strong = registered_gpu(miner_api.owner_id, miner_id=miner)
    weak = registered_gpu(
        miner_api.owner_id, miner_id=miner, model="GeForce RTX 3060", memory_mb=12288, fp16_tflops=51.0, verified=False,
        up_mbps=None, cuda="11.8", score=None,
    )  # fmt: skip

    made = miner_api.json("POST", OFFERS, {"gpu_ids": [strong, weak], "price_gpu_hour": 1}, status=201)

    assert (made["gpu_count"], made["gpu_model"], made["memory_mb"], made["fp16_tflops"]) == (
        2, "GeForce RTX 3060", 12288, 51.0,
    )  # fmt: skip
    assert (made["verified"], made["up_mbps"], made["cuda"], made["benchmark"]) == (False, None, 11.8, None)


def test_described_cards_have_made_up_slots_and_are_not_verified(client_api):
    made = client_api.json("POST", OFFERS, {"specs": SPECS, "price_gpu_hour": "0.1"}, status=201)

    assert (made["backed"], made["verified"], made["miner_id"], made["rentable"]) == (False, False, None, True)
    assert len(set(made["slots"])) == made["gpu_count"] == 2
    assert all(UUID(slot).version == 5 for slot in made["slots"])


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"price_gpu_hour": "0"}, "price_gpu_hour"),
        ({"price_gpu_hour": "-1"}, "price_gpu_hour"),
        ({"price_gpu_hour": "0.0000001"}, "price_gpu_hour"),
        ({"price_gpu_hour": "10000000"}, "price_gpu_hour"),
        ({"min_duration_s": 7200, "max_duration_s": 3600}, "max_duration_s"),
        ({"max_duration_s": 10**9}, "max_duration_s"),
        ({"available_until": "2020-01-01T00:00:00Z"}, "available_until"),
        ({"floor": "0.7"}, "floor"),
        ({"floor": "0.9", "ceiling": "0.2"}, "floor"),
        ({"ceiling": "0.2"}, "ceiling"),
        ({"constraints": "renter.("}, "constraints"),
        ({"reclaim_notice_s": 5}, "reclaim_notice_s"),
        ({"attributes": [1]}, "attributes"),
        ({"attributes": {"a": "x" * 5000}}, "attributes"),
        ({"state": "open"}, "state"),
        ({"score": 9}, "score"),
        ({"gpu_ids": []}, "gpu_ids"),
        ({"gpu_ids": ["x"]}, "gpu_ids.0"),
        ({"specs": SPECS}, "gpu_ids"),
        ({"pricing": "auction"}, "pricing"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(miner_api, fields, wrong):
    body = {"gpu_ids": [registered_gpu(miner_api.owner_id)], "price_gpu_hour": "0.5", **fields}

    answer = miner_api.json("POST", OFFERS, body, status=400)

    assert wrong in errors_of(answer), answer
    assert not MarketplaceOffer.objects.exists()


def test_cards_must_be_ones_own_present_and_together(miner_api, other_miner_api):
    mine, foreign = registered_gpu(miner_api.owner_id), registered_gpu(other_miner_api.owner_id)
    elsewhere, retired = registered_gpu(miner_api.owner_id), registered_gpu(miner_api.owner_id, state="retired")

    for ids, messages in (
        ([foreign], "no registered card"), ([str(uuid4())], "no registered card"), ([mine, mine], "twice"),
        ([mine, elsewhere], "several miners"), ([retired], "Retired"),
    ):  # fmt: skip
        answer = miner_api.json("POST", OFFERS, {"gpu_ids": ids, "price_gpu_hour": "0.5"}, status=400)
        assert messages in errors_of(answer)["gpu_ids"]
    assert not MarketplaceOffer.objects.exists()


def test_a_card_may_be_in_several_offers_with_a_warning_up_to_a_limit(miner_api, monkeypatch):
    monkeypatch.setattr(offer_rules, "MOST_OFFERS_PER_GPU", 2)
    body = {"gpu_ids": [registered_gpu(miner_api.owner_id)], "price_gpu_hour": "0.5"}

    first = miner_api.json("POST", OFFERS, body, status=201)
    second = miner_api.json("POST", OFFERS, body, status=201)
    refused = miner_api.json("POST", OFFERS, body, status=409)

    assert first["warnings"] == []
    assert "1 other offer too" in second["warnings"][0]
    assert refused["code"] == "cards_over_offered"


def test_a_bonded_offer_needs_the_bond(miner_api, operator_api, offered):
    refused = miner_api.json(
        "POST", OFFERS, {"specs": SPECS, "price_gpu_hour": "3", "bonded": True}, status=402
    )  # fmt: skip
    assert (refused["needed"], refused["available"]) == ("6.000000", "0.000000")

    deposit = {"owner_id": str(miner_api.owner_id), "amount": "6", "reason": "bond"}
    operator_api.json("POST", "/trading/v1/deposits", deposit, status=201, idempotency_key="d")
    assert miner_api.json(
        "POST", OFFERS, {"specs": SPECS, "price_gpu_hour": "3", "bonded": True}, status=201
    )["bonded"]  # fmt: skip


def test_the_same_key_makes_one_offer(miner_api):
    body = {"specs": SPECS, "price_gpu_hour": "0.5"}

    first = miner_api.json("POST", OFFERS, body, status=201, idempotency_key="k")
    again = miner_api.json("POST", OFFERS, body, status=201, idempotency_key="k")
    miner_api.json("POST", OFFERS, {**body, "price_gpu_hour": "0.6"}, status=422, idempotency_key="k")

    assert first == again
    assert MarketplaceOffer.objects.count() == 1


def test_ones_own_id_names_the_offer_and_is_taken_once(miner_api, other_miner_api, anonymous_api):
    body = {"specs": SPECS, "price_gpu_hour": "0.5", "external_id": "rig-7"}
    made = miner_api.json("POST", OFFERS, body, status=201)

    assert miner_api.json("POST", OFFERS, body, status=409)["code"] == "offer_taken"
    assert anonymous_api.json("GET", f"{OFFERS}/rig-7", status=200)["id"] == made["id"]
    other = other_miner_api.json("POST", OFFERS, body, status=201)
    assert other_miner_api.json("GET", f"{OFFERS}/rig-7", status=200)["id"] == other["id"]
    anonymous_api.json("GET", f"{OFFERS}/rig-7", status=404)  # which of the two?


def test_the_public_sees_listed_offers_and_a_provider_all_of_its_own(miner_api, anonymous_api, client_api, offered):
    shown, hidden = offered(), offered(draft=True)

    assert anonymous_api.json("GET", f"{OFFERS}/{shown['id']}", status=200)["id"] == shown["id"]
    for stranger in (anonymous_api, client_api):
        stranger.json("GET", f"{OFFERS}/{hidden['id']}", status=404)
        stranger.json("GET", f"{OFFERS}/{hidden['id']}/history", status=404)
    assert miner_api.json("GET", f"{OFFERS}/{hidden['id']}", status=200)["state"] == "draft"
    client_api.json("POST", f"{OFFERS}/{shown['id']}/pause", {}, status=404)
    client_api.json("PATCH", f"{OFFERS}/{shown['id']}", {"title": "mine"}, status=404, if_match="*")


def test_mine_lists_every_state_page_by_page(miner_api, client_api, offered):
    offered(draft=True)
    offered()
    offered()

    first = miner_api.json("GET", f"{OFFERS}/mine?limit=2", status=200)
    rest = miner_api.json("GET", f"{OFFERS}/mine?limit=2&cursor={first['next']}", status=200)

    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)
    drafts = miner_api.json("GET", f"{OFFERS}/mine?state=draft,paused", status=200)["items"]
    assert [one["state"] for one in drafts] == ["draft"]
    assert client_api.json("GET", f"{OFFERS}/mine", status=200)["items"] == []
    miner_api.json("GET", f"{OFFERS}/mine?state=nonsense", status=400)


def test_an_edit_names_the_revision_it_was_made_from(miner_api, offered):
    made = offered(price_gpu_hour="0.5")
    path = f"{OFFERS}/{made['id']}"
    assert miner_api.get(path)["ETag"] == '"1"'

    edited = miner_api.request("PATCH", path, {"price_gpu_hour": "0.25", "reason": "sale"}, if_match='"1"')

    assert (edited.status_code, edited["ETag"]) == (200, '"2"')
    body = edited.json()
    assert (body["price_gpu_hour"], body["base_price"], body["revision"]) == ("0.250000", "0.250000", 2)
    assert body["score"] == pytest.approx(2 * made["score"])
    stale = miner_api.json("PATCH", path, {"title": "late"}, status=412, if_match='"1"')
    assert stale["revision"] == 2
    assert miner_api.json("PATCH", path, {"title": "x"}, status=400)["code"] == "if_match_invalid"
    miner_api.json("PATCH", path, {"title": "x"}, status=400, if_match="abc")
    assert miner_api.json("PATCH", path, {"title": "forced"}, status=200, if_match="*")["revision"] == 3
    assert miner_api.json("PATCH", path, {"title": "forced"}, status=200, if_match='"3"')["revision"] == 3
    miner_api.json("PATCH", path, {"price_gpu_hour": "0"}, status=400, if_match='"3"')
    miner_api.json("PATCH", path, {"slots": []}, status=400, if_match='"3"')
    revision = OfferRevision.objects.get(offer=made["id"], revision=2)
    assert revision.changes == {"price_gpu_hour": ["0.500000", "0.250000"]} and revision.reason == "sale"


def test_pause_resume_withdraw_go_their_ways_and_no_other(miner_api, offered):
    path = f"{OFFERS}/{offered()['id']}"

    assert miner_api.json("POST", f"{path}/pause", {"reason": "cleaning"}, status=200)["state"] == "paused"
    conflict = miner_api.json("POST", f"{path}/pause", {}, status=409)
    assert (conflict["state"], conflict["allowed"]) == ("paused", ["expired", "open", "withdrawn"])
    assert miner_api.json("POST", f"{path}/resume", {}, status=200)["state"] == "open"
    assert miner_api.json("POST", f"{path}/withdraw", {}, status=200)["state"] == "withdrawn"
    miner_api.json("POST", f"{path}/resume", {}, status=409)
    miner_api.json("PATCH", path, {"title": "x"}, status=409, if_match="*")


def test_a_clone_is_a_draft_with_the_same_terms(miner_api, offered):
    soon = (timezone.now() + timedelta(days=2)).isoformat()
    made = offered(price_gpu_hour="0.7", title="t", attributes={"rack": 1}, available_until=soon, external_id="a")

    twin = miner_api.json("POST", f"{OFFERS}/{made['id']}/clone", status=201, idempotency_key="c")

    assert miner_api.json("POST", f"{OFFERS}/{made['id']}/clone", status=201, idempotency_key="c") == twin
    assert (twin["state"], twin["revision"], twin["external_id"]) == ("draft", 1, "")
    same = ("slots", "price_gpu_hour", "title", "attributes", "available_until", "max_duration_s", "gpu_model")
    assert [twin[name] for name in same] == [made[name] for name in same]
    assert twin["id"] != made["id"] and twin["warnings"]
    described = miner_api.json("POST", OFFERS, {"specs": SPECS, "price_gpu_hour": "0.5"}, status=201)
    other = miner_api.json("POST", f"{OFFERS}/{described['id']}/clone", status=201)
    assert other["slots"] != described["slots"] and other["memory_mb"] == 24576


def test_history_has_prices_and_edits(miner_api, anonymous_api, offered):
    made = offered(price_gpu_hour="0.5")
    path = f"{OFFERS}/{made['id']}"
    miner_api.json("PATCH", path, {"title": "renamed"}, status=200, if_match='"1"')
    miner_api.json("PATCH", path, {"price_gpu_hour": "0.4", "reason": "cheaper"}, status=200, if_match='"2"')

    history = miner_api.json("GET", f"{path}/history", status=200)
    public = anonymous_api.json("GET", f"{path}/history", status=200)

    assert [(one["price"], one["reason"]) for one in history["price_history"]] == [(0.5, "offered"), (0.4, "cheaper")]
    assert [one["revision"] for one in history["revisions"]] == [1, 2, 3]
    assert (history["offer_id"], history["booking_count"], history["total_revenue"], history["last_booked"]) == (
        made["id"], 0, "0.000000", None,
    )  # fmt: skip
    assert public == {**history, "total_revenue": None}
    assert {one["actor"] for one in public["revisions"]} == {"provider"}


def test_keys_without_the_scope_make_nothing(api_for, anonymous_api):
    body = {"specs": SPECS, "price_gpu_hour": "0.5"}
    anonymous_api.json("POST", OFFERS, body, status=401)
    api_for("voter", "voter").json("POST", OFFERS, body, status=403)
    api_for("reader", "read").json("POST", OFFERS, body, status=403)
    assert api_for("reader", "read").json("GET", f"{OFFERS}/mine", status=200)["items"] == []


@pytest.mark.parametrize("count", [1, 6])
def test_lists_ask_the_database_the_same_number_of_questions_whatever_their_length(
    count, miner_api, offered, django_assert_num_queries
):
    for _ in range(count):
        offered()
    miner_api.get(f"{OFFERS}/mine")  # the key is looked up once

    with django_assert_num_queries(1, using="marketplace"):
        assert len(miner_api.json("GET", OFFERS)) == count
    with django_assert_num_queries(1, using="marketplace"):
        assert len(miner_api.json("GET", f"{OFFERS}/mine")["items"]) == count
    with django_assert_num_queries(5, using="marketplace"):
        assert len(miner_api.json("GET", f"{OFFERS}/search")["items"]) == count
    with django_assert_num_queries(9, using="marketplace"):
        assert miner_api.json("GET", f"{OFFERS}/search?explain=true")["explain"]["matches"] == count


def test_strangers_learn_the_day_of_the_last_booking_and_not_its_moment(miner_api, anonymous_api):
    """The moment stands in the booking's id, and with that in the log: the provider's alias would be known."""
    offer = rentable(provider=miner_api.owner_id)
    booking = running(offer, funded())
    path = f"/marketplace/v1/marketplace/offers/{offer.pk}/history"

    own = miner_api.json("GET", path, status=200)["last_booked"]
    public = anonymous_api.json("GET", path, status=200)["last_booked"]

    assert datetime.fromisoformat(own) == booking.created_at
    assert public == f"{booking.created_at:%Y-%m-%d}T00:00:00Z"
