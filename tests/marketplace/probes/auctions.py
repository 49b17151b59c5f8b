"""Routes of demands, bids and awards, and of legacy orders, for the placeholder detector."""

from __future__ import annotations

from typing import Any

from tests.architecture.probes import Life, Probe
from tests.marketplace import bidding
from tests.marketplace.bidding import BIDS, DEMANDS
from tests.marketplace.renting import AIT

TRANSACTIONS = {"gpu_marketplace": "/gpu/v1/transactions", "marketplace": "/marketplace/v1/transactions"}
MADE = ("demand", "unbid", "recalled", "chosen", "cleared")


def live(life: Life) -> None:
    """Demands with a bid each, one of them cleared; the prices are this life's own."""
    n, things = life.number, life.things
    for name in MADE:
        requested = bidding.demand(life.client, budget_hour=str(n + 1), title=f"{name} {n}")
        things[f"{name}_wanted"] = requested["id"]
        offer = bidding.offer_of(life.miner, benchmark=100.0 * n, price=n * AIT)
        if name == "unbid":
            things["bidding"] = str(offer.pk)
            continue
        things[f"{name}_bid"] = bidding.bid(life.miner, requested, offer, f"{n}")["id"]
        if name == "cleared":
            bidding.closed(requested)
    drafts = ("drafted", "dropped")
    things |= {name: bidding.demand(life.client, budget_hour=str(n), draft=True)["id"] for name in drafts}


def legacy_bid(kind: str) -> dict[str, Any]:
    return {
        "type": kind, "action": "bid", "gpu_count": "{number}", "duration_hours": 1, "bid_id": f"{kind}-{{number}}",
        "max_price_per_gpu": "0.{number}", "specs": {"model": "RTX 4090"},
    }  # fmt: skip


REQUESTED = {"budget_hour": "1{number}", "duration_s": 3600}
PROBES = [
    Probe("client", "POST", DEMANDS, REQUESTED),
    Probe("client", "GET", f"{DEMANDS}?mine=true"),
    Probe("anonymous", "GET", f"{DEMANDS}/{{demand_wanted}}"),
    Probe("miner", "POST", f"{DEMANDS}/{{unbid_wanted}}/bids", {"offer_id": "{bidding}", "price_hour": "{number}.5"}),
    Probe("anonymous", "GET", f"{DEMANDS}/{{demand_wanted}}/bids"),
    Probe("miner", "GET", f"{BIDS}/mine"),
    Probe("miner", "POST", f"{BIDS}/{{recalled_bid}}/withdraw"),
    Probe("client", "POST", f"{DEMANDS}/{{chosen_wanted}}/award", {"bid_id": "{chosen_bid}"}),
    Probe("anonymous", "GET", f"{DEMANDS}/{{cleared_wanted}}/award"),
    Probe("client", "POST", f"{DEMANDS}/{{drafted}}/publish"),
    Probe("client", "POST", f"{DEMANDS}/{{dropped}}/cancel", {"reason": "r{number}"}),
    *(Probe("client", "POST", path, legacy_bid(kind)) for kind, path in TRANSACTIONS.items()),
    *(Probe("anonymous", "GET", f"{path}?order_id={{demand_wanted}}") for path in TRANSACTIONS.values()),
    Probe("client", "POST", BIDS, {"provider": "old {number}", "capacity": "{number}", "price": "0.{number}"},
          constant="the id of the new bid is all it says"),
    Probe("anonymous", "GET", f"{BIDS}?provider=old+{{number}}"),
    Probe("anonymous", "GET", f"{BIDS}/{{demand_wanted}}"),
]  # fmt: skip
