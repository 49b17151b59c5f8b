"""The doors of auctions and of the predecessor's orders, for the placeholder detector."""

from __future__ import annotations

from tests.architecture.probes import Life, Probe
from tests.marketplace.bidding import BIDS, DEMANDS, in_an_hour
from tests.marketplace.renting import funded, rentable

CONSTANT: dict[str, str] = {}
GPU, MARKET = "/gpu/v1/transactions", "/marketplace/v1/transactions"


def live(life: Life) -> None:
    """A renter with demands for each thing that is done to one, a provider with bids on them, a bid that has won."""
    n, things = life.number, life.things
    funded(n * 10**9, life.client.owner_id), funded(n * 10**9, life.miner.owner_id)
    card = {"provider": life.miner.owner_id, "benchmark": 100.0 * n, "reliability": 0.4 * n, "memory_mb": 8192 * n}
    things["bidding_offer"] = str(rentable(**card).pk)
    things["wish"] = {"budget_hour": f"{n}.5", "duration_s": 3600 * n, "title": f"wish {n}", "closes_at": in_an_hour()}
    for name in ("wanted", "unwanted", "bidden", "unbidden", "chosen"):
        things[name] = wished(life)
    things["drafted"] = wished(life, draft=True)
    things["taken_bid"] = bid_for(life, "chosen", str(rentable(**card).pk))
    things["withdrawn_bid"] = bid_for(life, "bidden", str(rentable(**card).pk))
    life.drain()
    things["kept_bid"] = bid_for(life, "bidden", str(rentable(**card).pk))
    old = {"provider": f"p{n}", "capacity": n, "price": n}
    things["old_bid"] = life.client.json("POST", BIDS, old, status=202)["id"]


def wished(life: Life, **more: object) -> str:
    return str(life.client.json("POST", DEMANDS, {**life.things["wish"], **more}, status=201)["id"])


def bid_for(life: Life, name: str, offer_id: str) -> str:
    body = {"offer_id": offer_id, "price_hour": f"{life.number}.1"}
    return str(life.miner.json("POST", f"{DEMANDS}/{life.things[name]}/bids", body, status=201)["id"])


def one_more(life: Life) -> None:
    """Another demand in the market."""
    wished(life, gpu_count=life.number)


def one_more_bid(life: Life) -> None:
    life.client.json("POST", BIDS, {"provider": "somebody", "capacity": life.number, "price": life.number}, status=202)


ORDER = {"action": "bid", "bid_id": "gpu_bid_{number}", "max_price_per_gpu": "{number}", "price": "{number}"}
PROBES = [
    Probe("client", "POST", DEMANDS, "{wish}"),
    Probe("anonymous", "GET", DEMANDS, before=one_more),
    Probe("anonymous", "GET", f"{DEMANDS}/{{wanted}}"),
    Probe("client", "POST", f"{DEMANDS}/{{drafted}}/publish"),
    Probe("client", "POST", f"{DEMANDS}/{{unwanted}}/cancel", {"reason": "why {number}"}),
    Probe("miner", "POST", f"{DEMANDS}/{{unbidden}}/bids", {"offer_id": "{bidding_offer}", "price_hour": "{number}"}),
    Probe("anonymous", "GET", f"{DEMANDS}/{{bidden}}/bids"),
    Probe("client", "POST", f"{DEMANDS}/{{chosen}}/award", {"bid_id": "{taken_bid}"}),
    Probe("anonymous", "GET", f"{DEMANDS}/{{chosen}}/award"),
    Probe("miner", "GET", f"{BIDS}/mine"),
    Probe("miner", "POST", f"{BIDS}/{{withdrawn_bid}}/withdraw"),
    Probe("anonymous", "GET", BIDS, before=one_more_bid),
    Probe("client", "POST", BIDS, {"provider": "p{number}", "capacity": 2, "price": "{number}"},
          constant="its clients want the new bid's id and nothing else"),
    Probe("anonymous", "GET", f"{BIDS}/{{old_bid}}"),
    Probe("client", "POST", GPU, {"type": "gpu_marketplace", **ORDER}),
    Probe("anonymous", "GET", GPU, before=one_more_bid),
    Probe("client", "POST", MARKET, {"type": "marketplace", **ORDER, "bid_id": "market_bid_{number}"}),
    Probe("anonymous", "GET", MARKET, before=one_more_bid),
]  # fmt: skip
