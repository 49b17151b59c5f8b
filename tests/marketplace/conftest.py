"""What tests of the marketplace share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.clients import Api
from tests.marketplace.cards import card

OFFERS = "/marketplace/v1/marketplace/offers"


@pytest.fixture
def offered(miner_api: Api) -> Callable[..., Any]:
    """Offer one new card of the miner's owner; keyword arguments are fields of the offer, `gpu` changes the card."""

    def offer(*, gpu: dict[str, Any] | None = None, api: Api = miner_api, **fields: Any) -> Any:
        body = {"gpu_ids": [card(api.owner_id, **(gpu or {}))], "price_gpu_hour": "0.5", **fields}
        return api.json("POST", OFFERS, body, status=201)

    return offer
