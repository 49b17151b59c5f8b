"""Doors of benchmarks, advice and settings, for the placeholder detector."""

from __future__ import annotations

from typing import Any

from apps.gpu.models import GPURegistry
from apps.gpu.services import miner_commands
from tests.architecture.probes import Life, Probe
from tests.gpu.factories import figures

M, EDGE = "/gpu/v1/miners", "/gpu/v1/marketplace/edge-gpu"
MODELS = ("Qwen2.5-7B", "Llama-3.2-3B")


def live(life: Life) -> None:
    """A miner with four cards: one to ask about, one to measure, one whose miner gives up, one with an open order."""
    n, things = life.number, life.things
    cards = [{"name": f"Probe {n}", "memory_mb": 8192 * n, "uuid": f"GPU-{n}-{place}"} for place in range(4)]
    life.miner.json("POST", f"{M}/register", {"miner_id": f"prover-{n}", "capabilities": {"gpus": cards}}, status=200)
    own = GPURegistry.objects.filter(uuid__startswith=f"GPU-{n}-").select_related("miner")
    own.update(
        measured={"bandwidth_gbps": 400.0 * n, "fp32_tflops": 10.0 * n, "fp16_tflops": 40.0 * n},
        details={"power": {"min_w": 100.0, "max_w": 300.0, "default_w": 200.0 + n, "limit_w": 200.0 + n}},
        price_per_hour=400_000 * n,
    )
    asked, measured, leaving, ordered = own.order_by("uuid")
    things |= {"card": str(asked.pk), "model": MODELS[n - 1]}
    things |= {"proof": requested(life, measured), "hopeless": requested(life, leaving)}
    body = {"settings": {"power_limit_w": 150}, "previous": {"power_limit_w": 200}}
    given = miner_commands.ask(ordered.miner, kind="apply", actor="test", seconds=60, gpu=ordered, body=body)
    things["order"] = str(given.order.pk)
    things["done"] = {"settings": {"power_limit_w": 150}} if n == 1 else {"refused": "not here"}
    things["bound"] = {
        "product": f"{n}a" * 32, "memory": f"{n}b" * 32, "device": "cuda", "figures": figures(400.0 * n, 10.0 * n),
    }  # fmt: skip


def requested(life: Life, card: GPURegistry) -> str:
    return str(life.miner.json("POST", f"/gpu/v1/gpu/{card.pk}/benchmarks", {}, status=201)["id"])


WISH: dict[str, Any] = {"workload": {"model": "{model}"}}
PROBES = [
    Probe("client", "POST", f"{EDGE}/{{card}}/optimize", WISH),
    Probe("client", "POST", f"{EDGE}/optimize/inference/{{card}}", {"model_name": "{model}"}),
    Probe("client", "GET", "/gpu/v1/gpu/{card}/earnings-advice"),
    Probe("miner", "POST", "/gpu/v1/gpu/{card}/benchmarks", {}),
    Probe("miner", "GET", "/gpu/v1/gpu/{card}/benchmarks"),
    Probe("miner", "POST", f"{M}/benchmarks/{{proof}}/begin"),
    Probe("miner", "POST", f"{M}/benchmarks/{{proof}}/commit", "{bound}"),
    Probe("miner", "POST", f"{M}/benchmarks/{{proof}}/answer", {"rows": [], "pages": []}),
    Probe("miner", "POST", f"{M}/benchmarks/{{hopeless}}/fail", {"reason": "no torch"}),
    Probe("miner", "GET", "/gpu/v1/benchmarks/{proof}"),
    Probe("miner", "POST", f"{M}/orders/{{order}}/applied", "{done}"),
]
