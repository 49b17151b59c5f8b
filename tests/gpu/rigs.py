"""Miners with cards, and bookings of them, as tests of the registry make them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from aitbc.core import invariants
from aitbc.core.messaging import Event
from apps.gpu.models import GPURegistry, Outbox
from apps.marketplace.events import BookingClosed, BookingReserved, BookingStarted
from tests.clients import Api

M = "/gpu/v1/miners"
G = "/gpu/v1/gpu"
EDGE = "/gpu/v1/marketplace/edge-gpu"
INVARIANTS = ("I4", "I4b", "I5", "I7", "I8", "I8b", "U5", "U7")
EAR = "plugins"  # a domain that takes no notice of gpu: its outbox rows are the test's
CARD = {
    "name": "NVIDIA GeForce RTX 4090",
    "memory_mb": 24564,
    "uuid": "GPU-1",
    "driver": "580.65",
    "architecture": "ada_lovelace",
    "pci": {"bus_id": "0000:01:00.0", "generation": 4, "lanes": 16},
    "power": {"min_w": 150, "max_w": 600, "default_w": 450},
}
PROCESSOR = {"name": "AMD EPYC", "cores": 8, "memory_mb": 16000, "uuid": "CPU-1"}


def register(api: Api, *, rig: str = "rig", cards: list[dict[str, Any]] | None = None, **more: Any) -> Any:
    """A miner with these cards; by default one RTX 4090."""
    capabilities = {"gpus": [CARD] if cards is None else cards, "tasks": ["inference"], **more}
    body = {"capabilities": capabilities, "region": "eu", "concurrency": 4}
    return api.json("POST", f"{M}/register", body, status=200, x_miner_id=rig)


def beat(api: Api, *, rig: str = "rig", **body: Any) -> Any:
    return api.json("POST", f"{M}/heartbeat", {"status": "ONLINE", **body}, status=200, x_miner_id=rig)


def poll(api: Api, *, rig: str = "rig", **body: Any) -> Any:
    return api.json("POST", f"{M}/poll", body, x_miner_id=rig)


def violations() -> list[str]:
    """What is wrong with cards, bookings and leases; these tests' jobs are unknown to ai, which is not asked."""
    found = invariants.run().items()
    return [f"{one.name} {line}" for one, lines in found if one.name in INVARIANTS for line in lines]


def the_card(**terms: Any) -> GPURegistry:
    return GPURegistry.objects.get(**terms)


def told(fact: type[Event], **terms: Any) -> list[dict[str, Any]]:
    """The facts of this kind that were published since the test listened for them, in order."""
    rows = Outbox.objects.filter(name=fact.NAME, consumer=EAR).order_by("id").values_list("payload", flat=True)
    return [one for one in rows if all(one[key] == value for key, value in terms.items())]


def reserved(
    *cards: GPURegistry, starts_in: int = 0, hours: int = 1, booking_id: str = "", **ids: str
) -> BookingReserved:
    """The marketplace's word that these cards are booked."""
    start = timezone.now() + timedelta(seconds=starts_in)
    return BookingReserved(
        booking_id=booking_id or str(uuid4()),
        renter_id=ids.get("renter_id", str(uuid4())),
        provider_id=str(cards[0].owner_id),
        miner_id=str(cards[0].miner_id),
        gpu_ids=[str(card.pk) for card in cards],
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
