"""Odd numbers in offers, searches and legacy bids: refused, or the same ever after."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from apps.marketplace.models import MarketplaceOffer
from tests.marketplace.conftest import OFFERS

SEARCH = f"{OFFERS}/search"
ODD = {"a": 1e20, "b": 5e-324, "c": 1.7976931348623157e308, "d": 2**53 - 1, "e": {"f": [1e16, 0.5]}}


def test_a_large_double_among_an_offers_attributes_is_the_same_in_every_answer(miner_api, client_api, offered):
    made = offered(attributes=ODD)
    assert made["attributes"] == ODD

    again = miner_api.json("GET", f"{OFFERS}/{made['id']}", status=200)
    assert again["attributes"] == ODD and isinstance(again["attributes"]["a"], float)
    for path in (SEARCH, OFFERS, f"{OFFERS}/mine"):
        answer = miner_api.get(path)
        assert answer.status_code == 200, (path, answer.content)
        assert made["id"] in answer.content.decode()


def test_an_integer_that_no_other_language_can_read_is_refused_and_nothing_is_stored(miner_api, offered):
    offered()
    body = {"price_gpu_hour": "0.5", "attributes": {"seed": 2**53}}

    problem = miner_api.json("POST", OFFERS, body, status=400)

    assert "2^53" in problem["detail"]
    assert MarketplaceOffer.objects.count() == 1


@pytest.mark.parametrize("number", ["1_0", "+1", " 1 ", "1e-2", "１", "0x10", "1.", ".5", ""])
def test_a_price_as_text_is_digits_and_one_point(miner_api, offered, number):
    made = offered()

    answer = miner_api.patch(f"{OFFERS}/{made['id']}", {"price_gpu_hour": number})

    assert answer.status_code == 400, answer.content
    assert MarketplaceOffer.objects.get().price_gpu_hour == 500_000


@pytest.mark.parametrize("filter", ["dph<1e-2", "dph<+1", "dph<1_0", "gpu_ram>=1e1", "gpu_ram>=+8", "gpu_ram>=１"])
def test_a_number_in_a_search_is_digits_and_one_point(client_api, offered, filter):
    offered()

    assert client_api.get(f"{SEARCH}?{urlencode({'filter': filter})}").status_code == 400


@pytest.mark.parametrize(
    "query", [{"gpus": "1_0"}, {"for": "+60"}, {"for": " 60"}, {"limit": "1_0"}, {"storage_gb": "1e1"}]
)
def test_a_number_in_a_query_is_digits_and_one_point(client_api, query):
    assert client_api.get(f"{SEARCH}?{urlencode(query)}").status_code == 400


def test_a_fraction_in_the_specs_of_a_legacy_bid_is_taken(client_api):
    body = {
        "type": "marketplace", "action": "bid", "gpu_count": 1, "max_price_per_gpu": 0.5, "duration_hours": 1,
        "specs": {"memory_gb": 23.5, "big": 1e20},
    }  # fmt: skip

    answer = client_api.post("/marketplace/v1/transactions", body)

    assert answer.status_code in (200, 201), answer.content
    listed = client_api.get("/marketplace/v1/transactions")
    assert listed.status_code == 200, listed.content
    assert "23.5" in json.dumps(listed.json())
