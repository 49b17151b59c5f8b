"""What tests of the marketplace share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.marketplace.models import GPUBooking
from tests.clients import Api
from tests.marketplace.gpus import registered_gpu
from tests.marketplace.renting import AIT, again, funded, provisioned, rentable

ROOT = "/marketplace/v1/marketplace"
OFFERS = f"{ROOT}/offers"


@pytest.fixture
def offered(miner_api: Api) -> Callable[..., Any]:
    """Offer one new card of the miner's owner; keyword arguments are fields of the offer, `gpu` changes the card."""

    def offer(*, gpu: dict[str, Any] | None = None, api: Api = miner_api, **fields: Any) -> Any:
        body = {"gpu_ids": [registered_gpu(api.owner_id, **(gpu or {}))], "price_gpu_hour": "0.5", **fields}
        return api.json("POST", OFFERS, body, status=201)

    return offer


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
