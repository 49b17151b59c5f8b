"""A client, a miner and an operator that take a job through the API."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.clients import Api

MINER = "rig-1"
CAPABILITIES = {
    "gpus": [{"name": "NVIDIA GeForce RTX 4090", "memory_mb": 24564}],
    "supported_tasks": ["embedding", "inference"],
    "models": ["tiny"],
    "price": "3.6",
    "region": "eu",
    "cuda": "12.4",
    "max_concurrent_jobs": 4,
}


@dataclass
class Exchange:
    """The whole exchange, driven in one process: `drain` stands for the relay."""

    client: Api
    miner: Api
    operator: Api
    drain: Callable[[], int]

    def fund(self, amount: str = "100") -> None:
        body = {"owner_id": str(self.client.owner_id), "amount": amount, "reason": "test funds"}
        self.operator.json("POST", "/trading/v1/deposits", body, status=201, idempotency_key="fund")

    def register(self, **capabilities: Any) -> Any:
        body = {"capabilities": {**CAPABILITIES, **capabilities}, "concurrency": 4, "region": "eu"}
        return self.miner.json("POST", "/gpu/v1/miners/register", body, status=200, x_miner_id=MINER)

    def submit(self, amount: str | None = "1", **extra: Any) -> Any:
        body = {"task_type": "embedding", "payload": {"texts": ["a", "b"]}, **extra}
        if amount is not None:
            body["payment_amount"] = amount
        job = self.client.json("POST", "/ai/jobs", body, status=201)
        self.drain()
        return job

    def poll(self) -> Any:
        found = self.miner.json("POST", "/gpu/v1/miners/poll", {"max_wait_seconds": 0}, x_miner_id=MINER)
        self.drain()
        return found

    def deliver(self, work: Any, result: Any) -> Any:
        body = {"result": result, "attempt": work["attempt"], "metrics": {"gpu_utilization": 0.9}}
        path = f"/gpu/v1/miners/{work['job_id']}/result"
        answer = self.miner.json("POST", path, body, status=200, x_miner_id=MINER)
        self.drain()
        return answer

    def fail(self, work: Any, code: str) -> Any:
        body = {"error_code": code, "error_message": "no", "attempt": work["attempt"]}
        answer = self.miner.json("POST", f"/gpu/v1/miners/{work['job_id']}/fail", body, status=200, x_miner_id=MINER)
        self.drain()
        return answer

    def job(self, job: Any) -> Any:
        return self.client.json("GET", f"/ai/jobs/{job['id']}", status=200)

    def balance(self, api: Api) -> Any:
        return api.json("GET", "/trading/v1/ledger/balance", status=200)
