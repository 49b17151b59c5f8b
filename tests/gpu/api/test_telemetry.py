"""Metrics of GPUs from heartbeats."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from apps.gpu.models import Miner
from tests.clients import Api
from tests.gpu.api.test_gpus import SECOND
from tests.gpu.factories import EDGE, RTX_4090, G, beat, register, registered_gpu


def test_measurements_are_kept_once_a_minute_and_shown_newest_first(miner_api: Api):
    register(miner_api, gpus=[RTX_4090, SECOND])
    reported = [
        {"uuid": "GPU-2", "utilization": 80, "memory_used_mb": 6000, "memory_total_mb": 24000, "power_w": 300.5},
        {"uuid": "GPU-unknown", "utilization": 10},
        {"uuid": "GPU-1", "temperature_c": 61, "thermal_throttling_active": True, "utilization": "much"},
    ]
    beat(miner_api, metrics={"gpus": reported})
    beat(miner_api, metrics={"gpus": reported})
    one, other = registered_gpu(uuid="GPU-1"), registered_gpu(uuid="GPU-2")

    rows = miner_api.json("GET", f"{EDGE}/metrics/{other.pk}", status=200)

    assert len(rows) == 1 and rows[0]["gpu_id"] == str(other.pk) and rows[0]["region"] == "eu"
    assert (rows[0]["gpu_utilization_percent"], rows[0]["power_draw_w"]) == (80, 300.5)
    assert rows[0]["memory_utilization_percent"] == 25
    assert one.latest == {"temperature_celsius": 61, "thermal_throttling_active": True}
    Miner.objects.update(noted_at=timezone.now() - timedelta(minutes=1))
    beat(miner_api, metrics={"gpus": reported[:1]})
    rows = miner_api.json("GET", f"{G}/{other.pk}/metrics?limit=5", status=200)
    assert len(rows) == 2 and rows[0]["timestamp"] > rows[1]["timestamp"]
    assert miner_api.get(f"{EDGE}/metrics/{other.pk}?limit=0").status_code == 400


def test_a_legacy_miners_measurements_go_to_its_only_gpu(miner_api: Api):
    register(miner_api, gpus=[{"name": "RTX 3060", "memory_mb": 12288}])

    long_ago = {"gpu_utilization": 33, "memory_used": 100, "memory_total": 1000, "network_latency_ms": -1.0}
    beat(miner_api, **long_ago)

    row = miner_api.json("GET", f"{EDGE}/metrics/{registered_gpu().pk}", status=200)[0]
    assert (row["gpu_utilization_percent"], row["memory_utilization_percent"]) == (33, 10)
    assert row["network_latency_ms"] is None


def test_a_heartbeat_is_one_statement(miner_api: Api, django_assert_num_queries):
    register(miner_api)
    beat(miner_api)

    with django_assert_num_queries(1, using="gpu"):
        beat(miner_api, metrics={"gpus": [{"uuid": "GPU-1", "utilization": 50}]})
