"""U1, U2 and U4 over the cards that are registered: advice that cannot be is reported, whichever row was changed."""

from __future__ import annotations

from typing import Any

from apps.gpu.models import ConsumerGPUProfile, GPUBenchmark, GPURegistry
from tests.clients import Api
from tests.gpu.invariants.test_leases import reported

GPU = {"name": "NVIDIA GeForce RTX 3090", "memory_mb": 24576, "uuid": "GPU-advised"}
BETTER = {"name": "NVIDIA GeForce RTX 4090", "memory_mb": 24564, "uuid": "GPU-better"}
UNKNOWN = {"name": "Homemade 1", "memory_mb": 24576, "uuid": "GPU-homemade"}
PROVEN = {"bandwidth_gbps": 900.0, "fp32_tflops": 30.0, "fp16_tflops": 60.0}
NUMBERS = ("U1", "U2", "U4")


def registered(api: Api, *gpus: dict[str, Any]) -> GPURegistry:
    """A rig with these cards; the first one."""
    body = {"miner_id": "rig", "capabilities": {"gpus": list(gpus)}}
    api.json("POST", "/gpu/v1/miners/register", body, status=200)
    return GPURegistry.objects.get(uuid=gpus[0]["uuid"])


def proven(gpu: GPURegistry, measured: dict[str, float]) -> None:
    """The card as a passed benchmark leaves it."""
    GPURegistry.objects.filter(pk=gpu.pk).update(measured=measured)
    GPUBenchmark.objects.create(
        gpu=gpu, suite="1", state="passed", nonce="n", verdict={"measured": measured}, requested_by="test",
        due_at=gpu.created_at, ended_at=gpu.created_at,
    )  # fmt: skip


def doctored(gpu: dict[str, Any], **rows: float) -> None:
    """The catalogue's row for this card is not what the file says."""
    model = GPURegistry.objects.get(uuid=gpu["uuid"]).profile.model
    assert ConsumerGPUProfile.objects.filter(model=model).update(**rows) == 1


def test_advice_for_registered_gpus_is_possible(miner_api: Api) -> None:
    registered(miner_api, GPU, BETTER)
    proven(registered(miner_api, UNKNOWN, GPU, BETTER), PROVEN)

    assert {name: reported(name) for name in NUMBERS} == {"U1": [], "U2": [], "U4": []}


def test_u1_sees_a_gpu_that_claims_more_memory_than_it_was_sold_with(miner_api: Api) -> None:
    GPURegistry.objects.filter(pk=registered(miner_api, GPU).pk).update(memory_mb=500_000)

    assert any("does not fit" in line for line in reported("U1"))


def test_u2_sees_a_catalogue_row_that_makes_a_gpu_faster_than_it_is_sold(miner_api: Api) -> None:
    registered(miner_api, GPU)
    doctored(GPU, bandwidth_gbps=9360)

    assert any("faster than the card can be" in line for line in reported("U2"))


def test_u2_leaves_an_operators_own_row_alone(miner_api: Api) -> None:
    registered(miner_api, GPU)
    doctored(GPU, bandwidth_gbps=9360)
    ConsumerGPUProfile.objects.update(source=ConsumerGPUProfile.Source.LOCAL)

    assert reported("U2") == []


def test_u2_sees_measurements_that_no_benchmark_proved(miner_api: Api) -> None:
    gpu = registered(miner_api, UNKNOWN)
    GPURegistry.objects.filter(pk=gpu.pk).update(measured=PROVEN)

    assert ["no passed benchmark" in line for line in reported("U2")] == [True]


def test_u2_sees_measurements_above_those_a_benchmark_proved(miner_api: Api) -> None:
    gpu = registered(miner_api, UNKNOWN)
    proven(gpu, PROVEN)
    GPURegistry.objects.filter(pk=gpu.pk).update(measured={name: 10 * figure for name, figure in PROVEN.items()})

    assert any("faster than the card can be" in line for line in reported("U2"))


def test_u4_sees_a_better_gpu_that_is_predicted_to_be_slower(miner_api: Api) -> None:
    registered(miner_api, GPU, BETTER)
    doctored(BETTER, bandwidth_gbps=93.6)

    better = GPURegistry.objects.get(uuid=BETTER["uuid"])
    assert reported("U2") == []
    assert any(f"card {better.pk}" in line and "predicted slower" in line for line in reported("U4"))


def test_u4_lets_a_gpu_be_slower_that_has_shown_to_be(miner_api: Api) -> None:
    registered(miner_api, GPU, BETTER)
    GPURegistry.objects.filter(uuid=BETTER["uuid"]).update(learned={"bandwidth": [0.1] * 20, "compute": [0.1] * 20})

    assert reported("U4") == []
