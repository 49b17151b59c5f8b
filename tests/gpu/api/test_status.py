"""The status of the domain."""

from __future__ import annotations

from apps.gpu.services import exchange_downtime
from tests.clients import Api
from tests.gpu.api.test_gpus import SECOND
from tests.gpu.factories import RTX_4090, register


def test_the_status_counts(miner_api: Api, anonymous_api: Api, enqueue):
    before = anonymous_api.json("GET", "/gpu/status", status=200)
    assert before["status"] == "degraded" or before["swept_seconds_ago"] < 60
    exchange_downtime.tick()
    register(miner_api, gpus=[RTX_4090, SECOND])
    enqueue()

    assert anonymous_api.get("/gpu/gpu/status").status_code == 200  # the mission's path, under the prefix
    now = anonymous_api.json("GET", "/gpu/v1/gpu/status", status=200)

    assert now["status"] == "operational" and now["service"] == "gpu-service"
    assert now["miners"] == {"online": 1} and now["gpus"] == {"registered": 2}
    assert now["models"] == {"GeForce RTX 4090": 2} and now["queue"]["waiting"] == 1
    assert "1 of 1" in now["message"]
