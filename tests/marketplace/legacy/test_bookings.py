"""Booking an offer at its own address, in the words of legacy clients."""

from __future__ import annotations

from tests.marketplace.conftest import ROOT


def test_the_legacy_route_books_an_hour_of_the_offer(renter, offer):
    booked = renter.json(
        "POST", f"{ROOT}/offers/{offer.pk}/book", {"duration_hours": 1.0, "wallet": "w", "price": 3}, status=201
    )

    assert {"bid_id", "offer_id", "provider", "status", "message", "escrow_contract_id"} <= set(booked)
    assert (booked["status"], booked["gpu_count"], booked["escrow"]) == ("pending", 2, "2.000000")
    assert renter.json("POST", f"{ROOT}/offers/nonsense/book", {}, status=404)
