"""Miners, GPUs, bookings and benchmarks as the tests of gpu make them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.utils import timezone

from aitbc.core import invariants
from aitbc.core.messaging import Event
from apps.gpu.logic import challenge_check
from apps.gpu.logic.challenge import SUITE, Task
from apps.gpu.miner.devices import Cpu
from apps.gpu.miner.prover import Prover
from apps.gpu.models import ConsumerGPUProfile, GPURegistry, Outbox
from apps.marketplace.events import BookingClosed, BookingReserved, BookingStarted
from tests.clients import Api

M = "/gpu/v1/miners"
G = "/gpu/v1/gpu"
EDGE = "/gpu/v1/marketplace/edge-gpu"
INVARIANTS = ("I4", "I4b", "I5", "I7", "I8", "I8b", "U5", "U7")
LISTENER = "plugins"  # a domain that takes no notice of gpu: its outbox rows are the test's
RTX_4090 = {
    "name": "NVIDIA GeForce RTX 4090",
    "memory_mb": 24564,
    "uuid": "GPU-1",
    "driver": "580.65",
    "architecture": "ada_lovelace",
    "pci": {"bus_id": "0000:01:00.0", "generation": 4, "lanes": 16},
    "power": {"min_w": 150, "max_w": 600, "default_w": 450},
}
PROCESSOR = {"name": "AMD EPYC", "cores": 8, "memory_mb": 16000, "uuid": "CPU-1"}
SPECS: dict[str, dict[str, Any]] = {
    "RTX 3090": {"memory_gb": 24, "bandwidth_gbps": 936, "fp32_tflops": 35.6, "fp16_tflops": 142, "tdp_w": 350},
    "RTX 5060 Ti": {"memory_gb": 16, "bandwidth_gbps": 448, "fp32_tflops": 23.7, "fp16_tflops": 94.8, "tdp_w": 180},
}


def profile(model: str, **changes: Any) -> ConsumerGPUProfile:
    """A row of the catalogue: the one that is there, else one made of SPECS."""
    found = ConsumerGPUProfile.objects.filter(model__endswith=model).first()
    if found is not None and not changes:
        return found
    fields = {"vendor": "NVIDIA", "architecture": "Test", "year": 2024, "consumer_grade": True, "edge_optimized": False}
    made: ConsumerGPUProfile = ConsumerGPUProfile.objects.create(
        model=f"Test {model} {ConsumerGPUProfile.objects.count()}", **{**fields, **SPECS[model], **changes}
    )
    return made


def register_gpu(api: Api, *, name: str = "rig", uuid: str = "GPU-1", memory_mb: int = 24576) -> GPURegistry:
    """A miner with one card, known by its word only."""
    gpus = [{"name": "NVIDIA GeForce RTX 3090", "memory_mb": memory_mb, "uuid": uuid}]
    body = {"miner_id": name, "capabilities": {"gpus": gpus, "benchmark_suite": SUITE}}
    api.json("POST", f"{M}/register", body, status=200)
    return GPURegistry.objects.get(uuid=uuid)


def make_gpu(api: Api, model: str | None = "RTX 3090", **fields: Any) -> GPURegistry:
    """A card of this model with limits its driver reports; keyword arguments are columns."""
    found = register_gpu(api, uuid=fields.pop("uuid", "GPU-1"))
    power = {"min_w": 100.0, "max_w": 350.0, "default_w": 350.0, "limit_w": 350.0}
    provided = {"profile": profile(model) if model else None, "details": {"power": power}, **fields}
    GPURegistry.objects.filter(pk=found.pk).update(**provided)
    found.refresh_from_db()
    return found


def make_cpu(api: Api, *, memory_mb: int = 64) -> GPURegistry:
    """The processor of a machine without a card."""
    found = register_gpu(api, uuid="CPU-1", memory_mb=memory_mb)
    GPURegistry.objects.filter(pk=found.pk).update(kind="cpu", profile=None, name="cpu")
    found.refresh_from_db()
    return found


def measurements(bandwidth: float, fp32: float, fp16: float | None = None) -> dict[str, Any]:
    """What a miner would have measured."""
    found = {"mem_bandwidth_gbps": bandwidth, "fp32_tflops": fp32, "fp16_tflops": fp16}
    return {
        name: {"median": value, "low": value, "high": value, "unit": "", "runs": [value] * 7}
        for name, value in found.items()
        if value is not None
    }


class HonestMiner:
    """A miner that goes through a benchmark on this machine's processor, for a task made small."""

    def __init__(self, api: Api, benchmark_id: str | UUID):
        self.api, self.path = api, f"{M}/benchmarks/{benchmark_id}"

    def prove(self, response: dict[str, Any], *, device: str = "cpu", environment: dict[str, Any] | None = None) -> Any:
        """Begin, commit with these measurements, answer; returns the verdict."""
        task = Task.from_json(self.api.json("POST", f"{self.path}/begin", status=200)["task"])
        self.prover = Prover(task, Cpu())
        body = self.prover.commit() | {"figures": response, "device": device, "environment": environment or {}}
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


def register(api: Api, *, rig: str = "rig", gpus: list[dict[str, Any]] | None = None, **more: Any) -> Any:
    """A miner with these cards; by default one RTX 4090."""
    capabilities = {"gpus": [RTX_4090] if gpus is None else gpus, "tasks": ["inference"], **more}
    body = {"capabilities": capabilities, "region": "eu", "concurrency": 4}
    return api.json("POST", f"{M}/register", body, status=200, x_miner_id=rig)


def beat(api: Api, *, rig: str = "rig", **body: Any) -> Any:
    return api.json("POST", f"{M}/heartbeat", {"status": "ONLINE", **body}, status=200, x_miner_id=rig)


def poll(api: Api, *, rig: str = "rig", **body: Any) -> Any:
    return api.json("POST", f"{M}/poll", body, x_miner_id=rig)


def violations() -> list[str]:
    """What is wrong with cards, bookings and leases; these tests' jobs are unknown to ai."""
    found = invariants.run().items()
    return [f"{one.name} {line}" for one, lines in found if one.name in INVARIANTS for line in lines]


def registered_gpu(**terms: Any) -> GPURegistry:
    return GPURegistry.objects.get(**terms)


def ago(seconds: float) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def facts(name: str) -> list[dict[str, Any]]:
    """The events of this name that wait for ai, oldest first."""
    return list(Outbox.objects.filter(name=name, consumer="ai").order_by("id").values_list("payload", flat=True))


def published(fact: type[Event], **terms: Any) -> list[dict[str, Any]]:
    """The facts of this kind that were published since the test listened for them, in order."""
    rows = Outbox.objects.filter(name=fact.NAME, consumer=LISTENER).order_by("id").values_list("payload", flat=True)
    return [one for one in rows if all(one[key] == value for key, value in terms.items())]


def reserved(
    *gpus: GPURegistry, starts_in: int = 0, hours: int = 1, booking_id: str = "", **ids: str
) -> BookingReserved:
    """The marketplace's word that these cards are booked."""
    start = timezone.now() + timedelta(seconds=starts_in)
    return BookingReserved(
        booking_id=booking_id or str(uuid4()),
        renter_id=ids.get("renter_id", str(uuid4())),
        provider_id=str(gpus[0].owner_id),
        miner_id=str(gpus[0].miner_id),
        gpu_ids=[str(gpu.pk) for gpu in gpus],
        starts_at=start.isoformat(),
        ends_at=(start + timedelta(hours=hours)).isoformat(),
    )


def started(of: BookingReserved) -> BookingStarted:
    same = {name: getattr(of, name) for name in ("booking_id", "renter_id", "provider_id", "miner_id", "gpu_ids")}
    return BookingStarted(**same, at=timezone.now().isoformat())


def closed(of: BookingReserved) -> BookingClosed:
    same = {name: getattr(of, name) for name in ("booking_id", "renter_id", "provider_id", "miner_id", "gpu_ids")}
    at = timezone.now().isoformat()
    return BookingClosed(**same, outcome="ended", slices=1, owed=0, compensation=0, at=at)
