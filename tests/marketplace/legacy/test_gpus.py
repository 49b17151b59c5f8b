"""The legacy GPU marketplace: its clients' words, under both prefixes, over real offers and bookings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.marketplace.models import GPUBooking, MarketplaceOffer, RegisteredGPU
from tests.marketplace.renting import AIT, again, at, funded, provisioned, rentable, sound

ROOTS = ("/marketplace/v1/marketplace", "/gpu/v1/marketplace")


@pytest.fixture(params=ROOTS)
def root(request):
    return request.param


@pytest.fixture
def renter(client_api):
    funded(100 * AIT, client_api.owner_id)
    return client_api


def test_a_gpu_is_listed_found_booked_confirmed_released_and_reviewed(root, renter, miner_api, drain):
    listed = {"gpu": {"name": "RTX 4090", "memory_gb": 24, "price_per_hour": 0.5, "cuda_cores": 1, "region": "de"}}
    made = miner_api.json("POST", f"{root}/gpu/register", listed, status=200)
    assert (made["status"], made["price_per_hour"], made["backed"]) == ("registered", 0.5, False)
    path = f"{root}/gpu/{made['gpu_id']}"

    found = renter.json("GET", f"{root}/gpu/list?available=true&model=4090&price_max=1&memory_min=24&region=DE")
    booked = renter.json("POST", f"{path}/book", {"duration_hours": 2, "gpu_id": "x", "total_cost": 9}, status=201)
    early = renter.json("POST", f"{path}/confirm", {"client_id": "me"}, status=409)
    drain()
    confirmed = renter.json("POST", f"{path}/confirm", status=200)

    assert [gpu["gpu_id"] for gpu in found] == [made["gpu_id"]]
    assert (booked["status"], booked["total_cost"], booked["price_per_hour"]) == ("booked", 1.0, 0.5)
    assert early["code"] == "not_booked"
    assert confirmed["booking_id"] == booked["booking_id"]
    assert renter.json("GET", path)["current_booking"]["booking_id"] == booked["booking_id"]
    assert renter.json("POST", f"{path}/reviews", {"rating": 5}, status=409)["code"] == "not_settled_yet"
    assert renter.json("GET", f"{root}/gpu/list?available=true") == []

    released = renter.json("POST", f"{path}/release", status=200)
    drain()
    assert (released["status"], released["refund"]) == ("released", 1.0)
    assert renter.json("POST", f"{path}/release", status=200)["status"] == "already_available"
    assert renter.json("POST", f"{path}/reviews", {"rating": 4, "comment": "ok"}, status=201)["average_rating"] == 4.0
    assert renter.json("GET", f"{path}/reviews")["reviews"][0]["comment"] == "ok"
    assert [order["status"] for order in renter.json("GET", f"{root}/orders")] == ["cancelled_renter"]
    sound()


def test_a_registered_card_of_that_name_stands_behind_the_listing(miner_api):
    listed = RegisteredGPU.objects.create(
        id="0190f3c2-0000-7000-8000-0000000000aa", miner_id=miner_api.owner_id, owner_id=miner_api.owner_id, seq=1,
        state="available",
        facts={
            "gpu_id": "0190f3c2-0000-7000-8000-0000000000aa", "miner_id": str(miner_api.owner_id),
            "owner_id": str(miner_api.owner_id), "seq": 1, "state": "available", "device": "gpu",
            "name": "NVIDIA GeForce RTX 4090", "model": "GeForce RTX 4090", "vendor": "NVIDIA", "architecture": "Ada",
            "memory_mb": 24576, "bandwidth_gbps": 1008.0, "fp32_tflops": 82.0, "fp16_tflops": 165.0, "tdp_w": 450.0,
            "compute_capability": "8.9", "cuda": "12.4", "driver": "550", "region": "de", "verified": True,
            "verified_at": None, "score": 150.0, "price_per_hour": None, "up_mbps": 100.0, "down_mbps": 100.0,
        },
    )  # fmt: skip
    listing = {"gpu": {"name": "RTX 4090", "memory_gb": 24}}

    first = miner_api.json("POST", f"{ROOTS[0]}/gpu/register", listing)
    second = miner_api.json("POST", f"{ROOTS[0]}/gpu/register", listing)

    assert (first["backed"], second["backed"]) == (True, False)
    assert MarketplaceOffer.objects.get(pk=first["gpu_id"]).slots == [listed.pk] or str(listed.pk) in map(
        str, MarketplaceOffer.objects.get(pk=first["gpu_id"]).slots
    )


def test_a_purchase_is_a_booking_of_who_calls(root, renter, drain):
    offer = rentable()

    bought = renter.json(
        "POST", f"{root}/gpu/purchase", {"buyer_id": "somebody else", "gpu_id": str(offer.pk), "duration_hours": 1},
        status=201,
    )  # fmt: skip
    drain()

    assert (bought["status"], bought["payment_status"]) == ("purchased", "pending")
    assert bought["buyer_id"] == str(renter.owner_id)
    assert GPUBooking.objects.get(pk=bought["purchase_id"]).state == "provisioning"
    taken = renter.json("POST", f"{root}/gpu/{offer.pk}/book", {"duration_hours": 1}, status=409)
    assert taken["code"] == "slot_taken"
    sound()


def test_a_listing_goes_away_unless_it_is_booked_or_by_force(renter, miner_api, other_miner_api, drain):
    funded(10 * AIT, miner_api.owner_id)
    offer = rentable(provider=miner_api.owner_id, bonded=True)
    path = f"{ROOTS[0]}/gpu/{offer.pk}"
    made = renter.json("POST", f"{path}/book", {"duration_hours": 1}, status=201)
    drain()
    provisioned(GPUBooking.objects.get(pk=made["booking_id"]))

    assert other_miner_api.json("DELETE", path, status=403)
    assert miner_api.json("DELETE", path, status=409)["code"] == "offer_booked"
    assert miner_api.json("DELETE", f"{path}?force=true", status=200)["status"] == "deleted"
    drain()

    booking = GPUBooking.objects.get(pk=made["booking_id"])
    assert (booking.outcome, booking.compensation) == ("cancelled_provider", AIT)
    assert renter.json("GET", path, status=404)
    sound()


def test_pricing_is_of_real_offers_and_trades(root, renter, drain):
    cheap, dear = rentable(price=AIT), rentable(price=3 * AIT)
    renter.json("POST", f"{root}/gpu/{cheap.pk}/book", {"duration_hours": 1}, status=201)
    drain()
    booking = GPUBooking.objects.get()
    provisioned(booking)
    at(again(booking).ends_at + timedelta(seconds=1))

    found = renter.json("GET", f"{root}/pricing/RTX 4090", status=200)
    unknown = renter.json("GET", f"{root}/pricing/RTX 409O", status=404)

    assert found["static_pricing"] | {"recommended_gpu": None} == {
        "min_price": 1.0, "max_price": 3.0, "average_price": 2.0, "available_gpus": 2, "total_gpus": 2,
        "recommended_gpu": None,
    }  # fmt: skip
    assert found["dynamic_pricing"] == {"trades": 1, "last_price": 1.0, "average_price": 1.0}
    assert {gpu["gpu_id"] for gpu in found["individual_gpu_pricing"]} == {str(cheap.pk), str(dear.pk)}
    assert unknown["suggestions"] == ["GeForce RTX 4090"]


BAD = [
    ("POST", "gpu/register", {}), ("POST", "gpu/register", {"gpu": {"name": "x", "memory_gb": 1, "price_per_hour": 0}}),
    ("POST", "gpu/{gpu}/book", {}), ("POST", "gpu/{gpu}/book", {"duration_hours": 0}),
    ("POST", "gpu/{gpu}/book", {"duration_hours": 9000}), ("POST", "gpu/{gpu}/reviews", {"rating": 6}),
    ("GET", "gpu/list?limit=0", None), ("GET", "gpu/list?limit=501", None), ("GET", "orders?status=lost", None),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), BAD)
def test_what_makes_no_sense_is_refused(method, path, body, renter):
    offer = rentable()

    renter.json(method, f"{ROOTS[1]}/{path.format(gpu=offer.pk)}", body, status=400)

    assert not GPUBooking.objects.exists()
