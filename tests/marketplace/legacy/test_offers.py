"""Offers as legacy clients make, list and cancel them."""

from __future__ import annotations

import pytest

from apps.marketplace.models import MarketplaceOffer
from tests.marketplace.conftest import OFFERS

MARKET = "/marketplace/v1/marketplace"
BODY = {"provider": "alice", "capacity": 2, "price": 0.5, "gpu_model": "RTX 4090", "gpu_memory_gb": 24, "region": "eu"}


def test_the_answer_is_200_or_201_as_the_clients_insist(client_api):
    assert client_api.post(OFFERS, BODY).status_code == 200
    assert client_api.post(OFFERS, {**BODY, "provider_id": "prov-1"}).status_code == 201


def test_unknown_fields_are_ignored_and_what_the_server_owns_stays_its_own(client_api):
    body = {**BODY, "status": "booked", "created_at": "2001-01-01", "chain_id": "ait", "id": "my-1", "sla": "99.9"}
    made = client_api.json("POST", OFFERS, body, status=200)

    assert (made["status"], made["state"], made["external_id"]) == ("open", "open", "my-1")
    assert made["id"] != "my-1" and made["created_at"] > "2026"
    assert (made["provider"], made["capacity"], made["sla"]) == ("alice", 2, "99.9")
    assert (made["price"], made["price_per_hour"], made["gpu_memory_gb"]) == (0.5, 0.5, 24)
    assert (made["backed"], made["verified"], made["bonded"], len(made["slots"])) == (False, False, False, 2)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"metadata": {"provider": "bob"}, "provider": ""}, "bob"),
        ({"wallet": "w1", "provider": None}, "w1"),
        ({"provider_id": "p9"}, "p9"),
    ],
)
def test_the_provider_goes_by_whatever_name_it_gives(client_api, change, name):
    body = {name: value for name, value in {**BODY, **change}.items() if value}
    assert client_api.json("POST", OFFERS, body)["provider"] == name


@pytest.mark.parametrize("price", [0, -1, "nonsense", 1e300, "NaN"])
def test_no_price_no_offer(client_api, price):
    client_api.json("POST", OFFERS, {**BODY, "price": price}, status=400)
    assert not MarketplaceOffer.objects.exists()


def test_prices_come_as_numbers_or_strings(client_api):
    assert client_api.json("POST", OFFERS, {**BODY, "price": "1.5"})["price_gpu_hour"] == "1.500000"
    assert client_api.json("POST", OFFERS, {**BODY, "price_per_hour": 0.1})["price_gpu_hour"] == "0.100000"
    assert client_api.json("POST", OFFERS, {**BODY, "cuda_version": "12.4.1"})["cuda_version"] == "12.4"


def test_the_list_is_bare_and_narrowed_by_status_region_and_model(client_api, anonymous_api):
    for region, model in (("eu", "RTX 4090"), ("US", "RTX 3090"), ("us", "A100")):
        client_api.json("POST", OFFERS, {**BODY, "region": region, "gpu_model": model})
    gone = client_api.json("GET", f"{OFFERS}?gpu_model=a100")[0]["id"]
    client_api.json("POST", f"{OFFERS}/{gone}/cancel", status=200)

    def models(query, api=anonymous_api):
        return sorted(one["gpu_model"] for one in api.json("GET", f"{OFFERS}?{query}", status=200))

    assert models("") == ["RTX 3090", "RTX 4090"]
    assert models("region=us") == ["RTX 3090"]
    assert models("gpu_model=rtx&limit=1&offset=1&chain_id=x") in (["RTX 3090"], ["RTX 4090"])
    assert models("status=available") == models("status=OPEN") == ["RTX 3090", "RTX 4090"]
    assert models("status=booked") == []
    assert models("status=cancelled") == []  # somebody else's
    assert models("status=cancelled", client_api) == ["A100"]
    assert models("price_max=0.4") == []


def test_an_unknown_status_is_refused_with_the_known_ones(anonymous_api):
    answer = anonymous_api.json("GET", f"{OFFERS}?status=sold", status=400)

    assert "Unknown offer status: sold" in answer["detail"] and "booked" in answer["detail"]
    for query in ("limit=0", "limit=501", "limit=x", "offset=-1", "provider_id=%00"):
        anonymous_api.json("GET", f"{OFFERS}?{query}", status=400)


def test_cancel_and_delete_end_it_once(client_api):
    first, second = (client_api.json("POST", OFFERS, BODY)["id"] for _ in range(2))

    shown = client_api.json("POST", f"{OFFERS}/{first}/cancel?reason=moved", status=200)
    assert (shown["offer_id"], shown["status"], shown["reason"]) == (first, "cancelled", "moved")
    assert isinstance(shown["cancelled_at"], int)
    client_api.json("POST", f"{OFFERS}/{first}/cancel", status=409)
    body = {"listing_id": second, "wallet": "w"}
    assert client_api.json("DELETE", f"{OFFERS}/{second}", body, status=200)["status"] == "cancelled"


def test_an_offer_that_is_not_there_is_404(anonymous_api):
    assert anonymous_api.json("GET", f"{OFFERS}/nope", status=404)["error"] == "not_found"


def test_the_market_at_a_glance_follows_the_offers(client_api, anonymous_api):
    empty = anonymous_api.json("GET", f"{MARKET}/stats", status=200)
    client_api.json("POST", OFFERS, BODY)
    client_api.json("POST", OFFERS, {**BODY, "price": 1, "region": "us", "capacity": 1})

    assert empty == {"totalOffers": 0, "openCapacity": 0, "averagePrice": 0, "activeBids": 0}
    assert anonymous_api.json("GET", f"{MARKET}/stats", status=200) == {
        "totalOffers": 2, "openCapacity": 3, "averagePrice": 0.75, "activeBids": 0,
    }  # fmt: skip
    shown = anonymous_api.json("GET", MARKET, status=200)
    assert (shown["total_offers"], shown["active_offers"], shown["average_price_per_hour"]) == (2, 2, 0.75)
    assert (shown["regions"], shown["service_types"], shown["status"]) == (["eu", "us"], ["ondemand"], "operational")
    for path in ("/marketplace/status", f"{MARKET}/status"):
        assert anonymous_api.json("GET", path, status=200)["message"].startswith("2 offers")
