"""Quotes over HTTP: itemised, signed, open for a minute, used once."""

from __future__ import annotations

from datetime import timedelta

from aitbc.core import signing
from apps.marketplace.models import MarketplaceOffer, Quote
from apps.marketplace.selectors import clock
from tests.marketplace.conftest import ROOT
from tests.marketplace.renting import AIT, funded, sound


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
