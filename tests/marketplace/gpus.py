"""Cards and offers as tests need them: real facts of a card, or rows made by the thousand."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from aitbc.core.ids import uuid7
from apps.gpu.events import GpuChanged
from apps.marketplace.models import MarketplaceOffer
from apps.marketplace.services import gpus

SEQ = itertools.count(1)
RTX_4090: dict[str, Any] = {
    "state": "available", "device": "gpu", "name": "NVIDIA GeForce RTX 4090", "model": "GeForce RTX 4090",
    "vendor": "NVIDIA", "architecture": "Ada Lovelace", "memory_mb": 24564, "bandwidth_gbps": 1008.0,
    "fp32_tflops": 82.6, "fp16_tflops": 165.0, "tdp_w": 450.0, "compute_capability": "8.9", "cuda": "12.4",
    "driver": "550.54.15", "region": "eu-de", "verified": True, "verified_at": "2026-11-20T10:00:00+00:00",
    "score": 150.0, "price_per_hour": 500_000, "up_mbps": 400.0, "down_mbps": 900.0,
}  # fmt: skip


def fact(owner_id: UUID, *, gpu_id: UUID | None = None, miner_id: UUID | None = None, **changes: Any) -> GpuChanged:
    """What gpu says of a card; each call's is newer than the one before."""
    named = {"gpu_id": str(gpu_id or uuid7()), "miner_id": str(miner_id or uuid7()), "owner_id": str(owner_id)}
    return GpuChanged(**{**RTX_4090, "seq": next(SEQ), **named, **changes})


def registered_gpu(owner_id: UUID, **changes: Any) -> str:
    """A registered card of this owner; returns its id."""
    event = fact(owner_id, **changes)
    gpus.take([event])
    return event.gpu_id


def register_gpus(offer: MarketplaceOffer) -> None:
    """The cards that an offer is said to be backed by, free and its provider's."""
    if offer.backed:
        gpus.take([fact(offer.provider_id, gpu_id=slot, miner_id=offer.miner_id) for slot in offer.slots])


MODELS = [
    ("GeForce RTX 3060", 12288, 360.0, 12.7, 51.0), ("GeForce RTX 3090", 24576, 936.0, 35.6, 142.0),
    ("GeForce RTX 4090", 24564, 1008.0, 82.6, 165.0), ("A100 80GB", 81920, 2039.0, 19.5, 312.0),
    ("H100 SXM", 81559, 3350.0, 67.0, 989.0), ("Radeon RX 7900 XTX", 24560, 960.0, 61.4, None),
    ("", 0, None, None, None), ("Tesla K80_x", 11441, 240.5, None, None),
]  # fmt: skip
REGIONS = ["eu-de", "EU_West", "us-east", "ap-south", ""]


def random_offer(dice: random.Random) -> MarketplaceOffer:
    """Any offer: of any model, price and state of knowledge."""
    model, memory, bandwidth, fp32, fp16 = dice.choice(MODELS)
    count = dice.choice([1, 1, 2, 4, 8])

    def perhaps(value: Any, chance: float = 0.8) -> Any:
        return value if dice.random() < chance else None

    price = dice.choice([dice.randrange(1, 5_000_000), dice.choice([250_000, 500_000, 1_000_000])])
    return MarketplaceOffer(
        id=UUID(int=dice.getrandbits(128), version=4), provider_id=UUID(int=dice.getrandbits(128), version=4),
        slots=[uuid4() for _ in range(count)], gpu_count=count, backed=dice.random() < 0.7,
        state=dice.choices(["open", "booked_out", "paused", "withdrawn"], [80, 10, 5, 5])[0],
        price_gpu_hour=price, base_price=price, price_storage_gb_month=dice.choice([0, 0, 50_000, 123_457]),
        gpu_model=model, gpu_name=model, vendor=dice.choice(["NVIDIA", "AMD", ""]),
        architecture=dice.choice(["Ampere", "Ada Lovelace", ""]), memory_mb=memory, bandwidth_gbps=perhaps(bandwidth),
        fp32_tflops=fp32, fp16_tflops=perhaps(fp16), tdp_w=perhaps(dice.choice([170.0, 350.0, 700.0])),
        compute_capability=perhaps(dice.choice([3.7, 8.6, 8.9, 9.0])), cuda=perhaps(dice.choice([11.8, 12.4])),
        region=dice.choice(REGIONS), up_mbps=perhaps(dice.uniform(1, 1000)), down_mbps=perhaps(dice.uniform(1, 1000)),
        verified=dice.random() < 0.6, rentable=dice.random() < 0.9, benchmark=perhaps(dice.uniform(5, 300), 0.5),
        reliability=dice.choice([0.5708645, dice.random()]), rating=perhaps(dice.choice([3.5, 4.0, 4.75]), 0.4),
        reviews=dice.randrange(5), score=dice.choice([0.0, dice.uniform(0, 900)]), bonded=dice.random() < 0.3,
        min_duration_s=dice.choice([60, 3600]), max_duration_s=dice.choice([3600, 86_400, 30 * 86_400]),
        available_from=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=dice.randrange(300)),
        title=dice.choice(["", "fast and cheap", "100% uptime", "a_b quiet room"]),
        attributes=dice.choice([{}, {"rack": "B7"}, {"sla": "99.9"}]),
    )  # fmt: skip
