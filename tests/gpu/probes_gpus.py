"""Doors of the registry: cards, models, figures, scans, orders, for the placeholder detector."""

from __future__ import annotations

from typing import Any

from apps.gpu.models import GPURegistry, Miner
from apps.gpu.services import miner_commands
from tests.architecture.probes import Life, Probe
from tests.gpu.rigs import EDGE, G, M, beat, register, the_card

CARDS = ("listed", "changed", "retired", "doubted")
WORDS = ("3090", "4090")


def live(life: Life) -> None:
    """A miner with a card for each thing that is done to one, a few figures, and an order that it has not answered."""
    n, things = life.number, life.things
    cards = [{"name": f"{word} card {n}", "memory_mb": 4096 * n, "uuid": f"{word}-{n}"} for word in CARDS]
    things["rig"] = f"looker-{n}"
    register(life.miner, rig=things["rig"], cards=cards)
    things |= {f"{word}_card": str(the_card(uuid=f"{word}-{n}").pk) for word in CARDS}
    GPURegistry.objects.filter(pk=things["doubted_card"]).update(state="quarantined")
    figures = [{"uuid": f"listed-{n}", "utilization": 10 * n}]
    beat(life.miner, rig=things["rig"], metrics={"gpus": figures})
    life.miner.json("PUT", f"{G}/{things['listed_card']}", {"status": "offline"}, status=200)
    if n == 2:
        life.miner.json("PUT", f"{G}/{things['listed_card']}", {"status": "available"}, status=200)
    things["known_model"] = WORDS[n - 1]
    things["look"] = str(miner_commands.scan(Miner.objects.get(name=things["rig"]), actor="test").order.pk)
    things["seen"] = {"gpus": cards, "discovery_method": "nvml"} if n == 1 else {"error": "the driver is gone"}


def one_more(life: Life) -> None:
    """Another card in the registry."""
    seen = GPURegistry.objects.count()
    register(life.miner, rig=f"more-{seen}", cards=[{"name": "One more", "memory_mb": 1024, "uuid": f"more-{seen}"}])


BY_HAND: dict[str, Any] = {
    "gpu_id": "hand-{number}", "miner_id": "{rig}",
    "specs": {"model": "{known_model} by hand", "memory_gb": "{number}"},
}  # fmt: skip
PROBES = [
    Probe("anonymous", "GET", "/gpu/status", before=one_more),
    Probe("anonymous", "GET", "/gpu/gpu/status", before=one_more),
    Probe("anonymous", "GET", f"{G}/status", before=one_more),
    Probe("anonymous", "GET", f"{EDGE}/profiles?q={{known_model}}"),
    Probe("miner", "GET", G),
    Probe("miner", "GET", f"{G}/discover?miner_id={{rig}}"),
    Probe("miner", "POST", f"{G}/register", BY_HAND),
    Probe("miner", "GET", f"{G}/{{listed_card}}"),
    Probe("miner", "GET", f"{G}/{{listed_card}}/history"),
    Probe("miner", "GET", f"{G}/{{listed_card}}/metrics"),
    Probe("miner", "GET", f"{EDGE}/metrics/{{listed_card}}"),
    Probe("miner", "PUT", f"{G}/{{changed_card}}", {"price_per_hour": "0.{number}"}),
    Probe("operator", "POST", f"{G}/{{doubted_card}}/release", {"reason": "seen with my own eyes {number}"}),
    Probe("miner", "DELETE", f"{G}/{{retired_card}}"),
    Probe("miner", "POST", f"{EDGE}/scan/{{rig}}?wait=0"),
    Probe("miner", "POST", f"{M}/orders/{{look}}", "{seen}"),
    Probe("miner", "GET", "/gpu/v1/orders/{look}"),
]
