"""Renters with demands and providers with offers who bid for them, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.db import connections

from aitbc.core.db import cursor
from aitbc.core.messaging.relay import drain
from apps.marketplace.models import MarketplaceDemand, MarketplaceOffer
from apps.marketplace.selectors import clock
from apps.marketplace.services import auction_clearing
from tests.clients import Api
from tests.marketplace.renting import funded, rentable

DEMANDS = "/marketplace/v1/marketplace/demands"
BIDS = "/marketplace/v1/marketplace/bids"


def renter(name: str = "renter", ait: int = 1000) -> Api:
    api = Api(owner=name, scopes=("client",))
    funded(ait * 1_000_000, api.owner_id) if ait else None
    return api


def provider(name: str = "provider", ait: int = 100) -> Api:
    api = Api(owner=name, scopes=("miner",))
    funded(ait * 1_000_000, api.owner_id) if ait else None
    return api


def offer_of(api: Api, **fields: Any) -> MarketplaceOffer:
    return rentable(**{"provider": api.owner_id, "benchmark": 200.0, "verified": True, "reliability": 0.8, **fields})


def in_an_hour() -> str:
    return (clock.now() + timedelta(hours=1)).isoformat()


def demand(api: Api, *, status: int = 201, **fields: Any) -> Any:
    """An open auction for one GPU for an hour, at no more than 2 AIT, closing in an hour."""
    body = {"budget_hour": "2", "duration_s": 3600, "closes_at": in_an_hour(), **fields}
    return api.json("POST", DEMANDS, body, status=status)


def bid(api: Api, requested: Any, offer: MarketplaceOffer, price: str, *, status: int = 201, **fields: Any) -> Any:
    """A bid whose bond has been set aside, unless it is refused."""
    body = {"offer_id": str(offer.pk), "price_hour": price, **fields}
    made = api.json("POST", f"{DEMANDS}/{requested['id']}/bids", body, status=status)
    drain()
    return made


def bidders(number: int, **fields: Any) -> list[tuple[Api, MarketplaceOffer]]:
    found = [provider(f"provider-{uuid4()}") for _ in range(number)]
    return [(api, offer_of(api, **fields)) for api in found]


def time_is_over(requested: Any) -> None:
    """The auction closed a minute ago."""
    with cursor(MarketplaceDemand) as sql:
        sql.execute(
            "UPDATE marketplace_marketplacedemand SET closes_at = %s, start_by = NULL WHERE id = %s",
            [clock.now() - timedelta(minutes=1), requested["id"]],
        )


def closed(requested: Any) -> Any:
    """The demand after the sweep has found its time over and all facts have arrived."""
    time_is_over(requested)
    auction_clearing.run()
    drain()
    return shown(requested)


def shown(requested: Any, api: Api | None = None) -> Any:
    return (api or Api()).json("GET", f"{DEMANDS}/{requested['id']}", status=200)


def award_of(requested: Any, api: Api | None = None) -> Any:
    return (api or Api()).json("GET", f"{DEMANDS}/{requested['id']}/award", status=200)


def states(requested: Any) -> dict[str, str]:
    """The state of every bid, by id."""
    return {
        one["id"]: one["state"] for one in Api().json("GET", f"{DEMANDS}/{requested['id']}/bids", status=200)["items"]
    }


def balance(api: Api) -> Any:
    return api.json("GET", "/trading/v1/ledger/balance", status=200)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Make these calls in threads of their own; returns their answers in order."""

    def alone(call: Callable[[], Any]) -> Any:
        try:
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(alone, calls))
