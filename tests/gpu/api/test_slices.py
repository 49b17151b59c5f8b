"""Cut cards (MIG) and unified memory, from the driver's library to the market and the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.gpu.logic import challenge
from apps.gpu.miner import gpus, host, memory
from apps.gpu.models import EdgeGPUMetrics, GPURegistry
from apps.gpu.services import catalogue
from tests.clients import Api
from tests.gpu.factories import G, beat, poll, register
from tests.gpu.miner.nvml import GIB, FakeGpu, FakeSlice, install, remove

A100 = b"NVIDIA A100-SXM4-80GB"
WHOLE = FakeGpu(A100, "GPU-A", 80 * GIB, mig=True)
CUT = FakeGpu(
    A100,
    "GPU-A",
    80 * GIB,
    slices=[FakeSlice("MIG-1", 10 * GIB, A100 + b" MIG 1g.10gb"), FakeSlice("MIG-2", 40 * GIB, A100 + b" MIG 3g.40gb")],
)


@pytest.fixture(autouse=True)
def _no_library_afterwards() -> Iterator[None]:
    yield
    remove()


def described(*machine: FakeGpu) -> list[dict[str, Any]]:
    """What the miner program registers on such a machine."""
    install(*machine)
    return gpus.completed(gpus.detect().gpus, [])


def states() -> dict[str, str]:
    return dict(GPURegistry.objects.values_list("uuid", "state"))


def test_a_cut_card_is_listed_as_its_slices_and_never_as_the_card(miner_api: Api):
    register(miner_api, gpus=described(WHOLE))
    register(miner_api, gpus=described(CUT))

    assert states() == {"GPU-A": "offline", "MIG-1": "registered", "MIG-2": "registered"}
    rows = {gpu["uuid"]: gpu for gpu in miner_api.json("GET", G, status=200)["items"]}
    assert (rows["MIG-1"]["memory_mb"], rows["MIG-2"]["memory_mb"]) == (10 * 1024, 40 * 1024)
    assert rows["MIG-1"]["details"]["mig"] == {"enabled": True, "slot": 0, "parent": "GPU-A"}
    assert "power" not in rows["MIG-1"]["details"] and rows["MIG-1"]["known_model"] is False
    assert GPURegistry.objects.get(uuid="GPU-A").profile.model == "A100 SXM4 80GB"

    register(miner_api, gpus=described(WHOLE))
    assert states() == {"GPU-A": "registered", "MIG-1": "offline", "MIG-2": "offline"}


@pytest.mark.parametrize(
    ("requirement", "granted"),
    [
        ({"min_vram_mb": 80 * 1024}, False),
        ({"min_vram_mb": 40 * 1024}, True),
        ({"gpu": "NVIDIA A100-SXM4-80GB"}, False),
        ({"gpu_count": 2}, False),  # a process sees one slice and no more
        ({"gpu_count": 1}, True),
    ],
)
def test_a_job_goes_to_a_cut_card_only_where_one_slice_suffices(
    miner_api: Api, enqueue: Callable[..., str], requirement: dict[str, Any], granted: bool
):
    register(miner_api, gpus=described(CUT))
    job_id = enqueue(**requirement)

    polled = poll(miner_api)

    assert (polled or {}).get("job_id") == (job_id if granted else None)


def test_the_metrics_of_slices_are_stored_by_their_uuid(miner_api: Api):
    register(miner_api, gpus=described(CUT))

    beat(miner_api, metrics=host.metrics(gpus.metrics()))

    stored = dict(EdgeGPUMetrics.objects.values_list("gpu__uuid", "memory_used_mb"))
    assert stored == {"MIG-1": 2560, "MIG-2": 10240}
    assert set(EdgeGPUMetrics.objects.values_list("power_draw_w", flat=True)) == {None}


def test_a_card_with_unified_memory_is_listed_with_the_machines(miner_api: Api):
    register(miner_api, gpus=described(FakeGpu(b"NVIDIA GB10", "GPU-S", None)))

    (gpu,) = miner_api.json("GET", G, status=200)["items"]

    assert gpu["memory_mb"] == memory.total_mb() > 0 and gpu["details"]["unified_memory"] is True


def test_a_benchmark_of_unified_memory_leaves_room_for_the_system(miner_api: Api, monkeypatch: pytest.MonkeyPatch):
    sizes: list[int] = []
    real = challenge.gpu_task
    monkeypatch.setattr(
        challenge, "gpu_task", lambda nonce, **task: sizes.append(task["memory_mb"]) or real(nonce, **task)
    )
    catalogue.ensure()
    reported = {"name": "NVIDIA GB10", "uuid": "GPU-S", "memory_mb": 124_610}
    register(miner_api, gpus=[reported], benchmark_suite=challenge.SUITE)
    gpu = GPURegistry.objects.get(uuid="GPU-S")

    miner_api.json("POST", f"{G}/{gpu.pk}/benchmarks", {}, status=201)

    assert sizes == [round(124_610 * 0.75)]
