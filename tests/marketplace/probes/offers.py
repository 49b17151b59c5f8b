"""Routes of offers and searching, for the placeholder detector."""

from __future__ import annotations

from tests.architecture.probes import Life, Probe
from tests.marketplace.conftest import OFFERS
from tests.marketplace.gpus import registered_gpu

MARKET = "/marketplace/v1/marketplace"
SAME_TO_ALL = "the table of searchable fields is the grammar's, and in the code"
GPUS = {1: {"model": "GeForce RTX 3060", "memory_mb": 12288}, 2: {"model": "A100 80GB", "memory_mb": 81920}}


def live(life: Life) -> None:
    """Offers of a card of its own, one for each thing that is done to one."""
    number = life.number
    life.things["market_card"] = registered_gpu(life.miner.owner_id, region=f"r{number}", **GPUS[number])
    life.things["wanted_gpus"] = number
    for name in ("market_offer", "paused", "ended", "cancelled", "deleted"):
        body = {"gpu_ids": [life.things["market_card"]], "price_gpu_hour": f"0.{number}", "title": f"{name} {number}"}
        life.things[name] = life.miner.json("POST", OFFERS, body, status=201)["id"]
    dearer = {"price_gpu_hour": f"0.{number + 2}"}
    life.miner.json("PATCH", f"{OFFERS}/{life.things['market_offer']}", dearer, status=200, if_match="*")


def one_more(life: Life) -> None:
    """Another described card in the market."""
    specs = {"gpu_model": f"made {life.number}", "memory_mb": 1024}
    life.client.json("POST", OFFERS, {"specs": specs, "price_gpu_hour": f"{life.number}"}, status=201)


PROBES = [
    Probe("anonymous", "GET", OFFERS, before=one_more),
    Probe("miner", "GET", f"{OFFERS}/mine"),
    Probe("anonymous", "GET", f"{OFFERS}/fields", constant=SAME_TO_ALL),
    Probe("anonymous", "GET", f"{OFFERS}/search?filter=num_gpus=1&gpus={{wanted_gpus}}&q={{number}}"),
    Probe("anonymous", "POST", f"{OFFERS}/search", {"q": "{market_card}", "filter": "gpu_count=={number}"}),
    Probe("anonymous", "GET", f"{OFFERS}/{{market_offer}}"),
    Probe("anonymous", "GET", f"{OFFERS}/{{market_offer}}/history"),
    Probe("client", "POST", OFFERS, {"provider": "p{number}", "price": "{number}", "gpu_model": "m{number}"}),
    Probe("miner", "PATCH", f"{OFFERS}/{{market_offer}}", {"title": "named {number}"}, {"if_match": "*"}),
    Probe("miner", "POST", f"{OFFERS}/{{paused}}/pause", {"reason": "r{number}"}),
    Probe("miner", "POST", f"{OFFERS}/{{paused}}/resume", {"reason": "r{number}"}),
    Probe("miner", "POST", f"{OFFERS}/{{market_offer}}/clone"),
    Probe("miner", "POST", f"{OFFERS}/{{ended}}/withdraw", {}),
    Probe("miner", "POST", f"{OFFERS}/{{cancelled}}/cancel?reason=why+{{number}}", {}),
    Probe("miner", "DELETE", f"{OFFERS}/{{deleted}}"),
    Probe("anonymous", "GET", MARKET, before=one_more),
    Probe("anonymous", "GET", f"{MARKET}/stats", before=one_more),
    Probe("anonymous", "GET", f"{MARKET}/status", before=one_more),
    Probe("anonymous", "GET", "/marketplace/status", before=one_more),
]
