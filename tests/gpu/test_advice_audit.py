"""U1 over the cards that are registered: advice that cannot be is reported."""

from __future__ import annotations

from apps.gpu.models import GPURegistry
from tests.clients import Api
from tests.gpu.test_audit import reported

CARD = {"name": "NVIDIA GeForce RTX 3090", "memory_mb": 24576, "uuid": "GPU-advised"}


def registered(api: Api) -> GPURegistry:
    api.json("POST", "/gpu/v1/miners/register", {"miner_id": "rig", "capabilities": {"gpus": [CARD]}}, status=200)
    return GPURegistry.objects.get()


def test_advice_for_a_registered_card_is_possible(miner_api: Api) -> None:
    registered(miner_api)

    assert reported("U1") == []


def test_u1_sees_a_card_that_claims_more_memory_than_it_was_sold_with(miner_api: Api) -> None:
    GPURegistry.objects.filter(pk=registered(miner_api).pk).update(memory_mb=500_000)

    assert any("does not fit" in line for line in reported("U1"))
