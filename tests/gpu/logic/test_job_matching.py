"""Matching against an oracle that spells every rule out in another way, and the dialects of capabilities."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.gpu.logic.capabilities import Gpu, Offer, normalise
from apps.gpu.logic.job_matching import Candidate, failures, fits

pytestmark = pytest.mark.no_db
WORDS = st.sampled_from(["a", "b", "c"])
MAYBE = st.none() | WORDS
GPUS = st.builds(
    Gpu, name=WORDS, memory_mb=st.sampled_from([0, 8, 16, 24]), uuid=st.sampled_from(["", "GPU-1", "MIG-1"])
)
MINERS = st.builds(
    Candidate,
    id=WORDS,
    offer=st.builds(
        Offer,
        tasks=st.frozensets(WORDS),
        models=st.frozensets(WORDS),
        data_classes=st.frozensets(WORDS),
        gpus=st.lists(GPUS, max_size=3).map(tuple),
        cuda=st.sampled_from(["", "12.4", "11.8"]),
        region=st.sampled_from(["", "a", "b"]),
    ),
    rate=st.integers(0, 3),
    reputation=st.integers(0, 3),
    owner=st.sampled_from(["a", "b"]),
)
REQUESTS = st.fixed_dictionaries(
    {
        "task_type": WORDS,
        "gpu": MAYBE,
        "gpu_count": st.integers(0, 3),
        "min_vram_mb": st.sampled_from([0, 8, 16, 24]),
        "models": st.lists(WORDS, unique=True).map(sorted),
        "region": MAYBE,
        "cuda": st.sampled_from([None, "12", "11.8", "4"]),
        "max_price": st.none() | st.integers(0, 3),
        "min_reputation": st.none() | st.integers(0, 3),
        "data_class": st.none() | st.sampled_from(["a", "public"]),
        "miner_id": MAYBE,
    },
    optional={"excluded_owners": st.lists(st.sampled_from(["a", "b"]), unique=True)},
)


def oracle(request: dict[str, Any], miner: Candidate) -> bool:
    offer = miner.offer
    if offer.tasks and request["task_type"] not in offer.tasks:
        return False
    needed = max(request["gpu_count"], 1 if request["gpu"] is not None or request["min_vram_mb"] > 0 else 0)
    gpus = [
        gpu for gpu in offer.gpus if request["gpu"] in (None, gpu.name) and not gpu.memory_mb < request["min_vram_mb"]
    ]
    if needed > 1:
        gpus = [gpu for gpu in gpus if gpu.uuid != "MIG-1"]  # a process sees one slice and no more
    if len(gpus) < needed or any(model not in offer.models for model in request["models"]):
        return False
    if request["region"] is not None and offer.region != request["region"]:
        return False
    if request["cuda"] is not None and offer.cuda.find(request["cuda"]) < 0:
        return False
    if request["max_price"] is not None and miner.rate > request["max_price"]:
        return False
    if request["min_reputation"] is not None and miner.reputation < request["min_reputation"]:
        return False
    if request["data_class"] not in (None, "public") and request["data_class"] not in offer.data_classes:
        return False
    if miner.owner in request.get("excluded_owners", []):
        return False
    return request["miner_id"] is None or request["miner_id"] == miner.id


@given(request=REQUESTS, miner=MINERS)
def test_matching_agrees_with_the_oracle(request: dict[str, Any], miner: Candidate) -> None:
    assert fits(request, miner) == oracle(request, miner)
    assert fits(request, miner) == (failures(request, miner) == [])


@given(
    offer=st.builds(
        Offer,
        tasks=st.frozensets(WORDS),
        models=st.frozensets(WORDS),
        gpus=st.lists(GPUS, max_size=2).map(tuple),
        price=st.none() | st.integers(0, 9),
    )
)
def test_an_offer_survives_being_stored(offer: Offer) -> None:
    assert Offer.from_json(offer.to_json()) == offer


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3),
    max_leaves=8,
)


@given(
    sent=JSON
    | st.fixed_dictionaries(
        {}, optional={"gpus": JSON, "gpu": JSON, "models": JSON, "cuda": JSON, "supported_tasks": JSON, "region": JSON}
    )
)
def test_whatever_a_miner_sends_is_read(sent: Any) -> None:
    read = normalise(sent)

    assert all(isinstance(name, str) for name in read.tasks | read.models | read.data_classes)
    assert all(isinstance(gpu, Gpu) and gpu.memory_mb >= 0 for gpu in read.gpus)
    assert read.price is None


def test_dialects_mean_the_same() -> None:
    daemon = normalise(
        {
            "gpus": [{"name": "RTX 3060", "memory_mb": 12288}],
            "cuda": "550.1",
            "models": ["llama3"],
            "price": 0.01,
            "supported_tasks": ["inference"],
        },
        region="eu",
    )
    host = normalise(
        {
            "gpu": {"model": "RTX 3060", "memory_gb": 12288, "cuda_version": "550.1"},
            "models": ["llama3"],
            "price": "0.01",
            "tasks": ["inference"],
            "region": "eu",
        }
    )
    gigabytes = normalise({"gpu": {"model": "RTX 3060", "memory_gb": 12}})

    assert daemon.models == host.models and daemon.tasks == host.tasks and daemon.price == host.price == 10_000
    assert daemon.gpus[0].memory_mb == host.gpus[0].memory_mb == gigabytes.gpus[0].memory_mb == 12288
    assert daemon.cuda == host.cuda == "550.1" and daemon.region == host.region == "eu"
    assert normalise(["inference"]).tasks == {"inference"}
