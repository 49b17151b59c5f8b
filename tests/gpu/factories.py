"""Cards for the tests of benchmarks and advice: registered through the miner's door, then what tests need set."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.gpu.logic import challenge_check
from apps.gpu.logic.challenge import SUITE, Task
from apps.gpu.miner.devices import Cpu
from apps.gpu.miner.prover import Prover
from apps.gpu.models import ConsumerGPUProfile, GPURegistry
from tests.clients import Api

M = "/gpu/v1/miners"
SPECS: dict[str, dict[str, Any]] = {
    "RTX 3090": {"memory_gb": 24, "bandwidth_gbps": 936, "fp32_tflops": 35.6, "fp16_tflops": 142, "tdp_w": 350},
    "RTX 5060 Ti": {"memory_gb": 16, "bandwidth_gbps": 448, "fp32_tflops": 23.7, "fp16_tflops": 94.8, "tdp_w": 180},
}


def profile(model: str, **changes: Any) -> ConsumerGPUProfile:
    """A row of the catalogue: the one that is there, else one made of these figures."""
    found = ConsumerGPUProfile.objects.filter(model__endswith=model).first()
    if found is not None and not changes:
        return found
    fields = {"vendor": "NVIDIA", "architecture": "Test", "year": 2024, "consumer_grade": True, "edge_optimized": False}
    made: ConsumerGPUProfile = ConsumerGPUProfile.objects.create(
        model=f"Test {model} {ConsumerGPUProfile.objects.count()}", **{**fields, **SPECS[model], **changes}
    )
    return made


def register(api: Api, *, name: str = "rig", uuid: str = "GPU-1", memory_mb: int = 24576) -> GPURegistry:
    """A miner with one card, known by its word only."""
    cards = [{"name": "NVIDIA GeForce RTX 3090", "memory_mb": memory_mb, "uuid": uuid}]
    body = {"miner_id": name, "capabilities": {"gpus": cards, "benchmark_suite": SUITE}}
    api.json("POST", f"{M}/register", body, status=200)
    return GPURegistry.objects.get(uuid=uuid)


def card(api: Api, model: str | None = "RTX 3090", **fields: Any) -> GPURegistry:
    """A card of this model with limits its driver reports; keyword arguments are columns."""
    found = register(api, uuid=fields.pop("uuid", "GPU-1"))
    power = {"min_w": 100.0, "max_w": 350.0, "default_w": 350.0, "limit_w": 350.0}
    given = {"profile": profile(model) if model else None, "details": {"power": power}, **fields}
    GPURegistry.objects.filter(pk=found.pk).update(**given)
    found.refresh_from_db()
    return found


def cpu(api: Api, *, memory_mb: int = 64) -> GPURegistry:
    """The processor of a machine without a card."""
    found = register(api, uuid="CPU-1", memory_mb=memory_mb)
    GPURegistry.objects.filter(pk=found.pk).update(kind="cpu", profile=None, name="cpu")
    found.refresh_from_db()
    return found


def figures(bandwidth: float, fp32: float, fp16: float | None = None) -> dict[str, Any]:
    """What a miner would have measured."""
    found = {"mem_bandwidth_gbps": bandwidth, "fp32_tflops": fp32, "fp16_tflops": fp16}
    return {
        name: {"median": value, "low": value, "high": value, "unit": "", "runs": [value] * 7}
        for name, value in found.items()
        if value is not None
    }


class Honest:
    """A miner that goes through a benchmark on this machine's processor, for a task made small."""

    def __init__(self, api: Api, benchmark_id: str | UUID):
        self.api, self.path = api, f"{M}/benchmarks/{benchmark_id}"

    def prove(self, told: dict[str, Any], *, device: str = "cpu", environment: dict[str, Any] | None = None) -> Any:
        """Begin, commit with these figures, answer; returns the verdict."""
        task = Task.from_json(self.api.json("POST", f"{self.path}/begin", status=200)["task"])
        self.prover = Prover(task, Cpu())
        body = self.prover.commit() | {"figures": told, "device": device, "environment": environment or {}}
        self.question = self.api.json("POST", f"{self.path}/commit", body, status=200)["question"]
        return self.api.json("POST", f"{self.path}/answer", self.prover.answer(self.question), status=200)


def small(task: Task) -> Task:
    """The same kind of task, small enough for a test."""
    fields = {**task.to_json(), "words": 64, "rounds": 4, "blocks": 6, "pages": 8, "table": 8}
    return Task.from_json({**fields, "rows_asked": 16, "pages_asked": 6})


def proof(task: Task) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """An honest commitment, a question, and the answer to it."""
    prover = Prover(task, Cpu())
    commitment = prover.commit()
    question = challenge_check.draw(task)
    return commitment, question, prover.answer(question)
