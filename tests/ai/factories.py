"""Jobs made through the API, and the facts that other domains would publish about them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
from django.db import connections

from aitbc.core import blobs
from aitbc.core.db import atomic
from aitbc.core.ids import uuid7
from aitbc.core.messaging import Event, emit
from aitbc.core.messaging.relay import drain
from apps.ai.models import AIJob
from apps.gpu.events import (
    JobProgressed,
    LeaseCompleted,
    LeaseExpired,
    LeaseFailed,
    LeaseGranted,
    LeaseReleased,
    WorkWithdrawn,
)
from apps.gpu.models import Outbox as GpuOutbox
from apps.trading.models import Outbox as TradingOutbox
from apps.trading.services.deposits import deposit

AIT = 1_000_000
START, END = "2026-01-01T12:00:00+00:00", "2026-01-01T12:00:30+00:00"


def fund(api: Any, amount: int = 10 * AIT) -> None:
    deposit(owner_id=api.owner_id, amount=amount, reason="test money", actor="operator:test")


def submit(api: Any, **body: Any) -> dict[str, Any]:
    return api.json("POST", "/ai/jobs", {"task_type": "echo", "payload": {"n": 1}, **body}, status=201)


def queued(api: Any, **body: Any) -> dict[str, Any]:
    """A job that waits for a miner; paid from fresh money when it has a payment."""
    if "payment_amount" in body:
        fund(api)
    job = submit(api, **body)
    drain()
    return job


def row(job: dict[str, Any]) -> AIJob:
    return AIJob.objects.get(pk=job["id"])


def publish(*events: Event) -> None:
    """Publish facts as their domains do, and deliver them."""
    for event in events:
        domain = event.NAME.split(".")[0]
        with atomic(GpuOutbox if domain == "gpu" else TradingOutbox):
            emit(event, by=domain)
    drain()


class MinerFacts:
    """The facts that gpu publishes about one miner."""

    def __init__(self) -> None:
        self.miner_id, self.provider_id = str(uuid7()), str(uuid7())
        self.common = {"miner_id": self.miner_id, "provider_id": self.provider_id, "rate": 3_600_000}

    def grants(self, job: dict[str, Any], attempt: int = 1, granted_at: str = START) -> LeaseGranted:
        return LeaseGranted(job_id=job["id"], attempt=attempt, granted_at=granted_at, lease_until=END, **self.common)

    def progresses(self, job: dict[str, Any], progress: float, attempt: int = 1, note: str = "") -> JobProgressed:
        return JobProgressed(job_id=job["id"], attempt=attempt, progress=progress, note=note)

    def completes(self, job: dict[str, Any], result: Any = None, attempt: int = 1, **more: Any) -> LeaseCompleted:
        body = orjson.dumps(result)
        fields = {
            "result": result, "result_sha256": hashlib.sha256(body).hexdigest(), "result_size": len(body),
            "started_at": START, "ended_at": END, "metered_ms": 30_000, "metrics": {"claimed": True},
        }  # fmt: skip
        return LeaseCompleted(job_id=job["id"], attempt=attempt, **self.common, **(fields | more))

    def fails(self, job: dict[str, Any], code: str, attempt: int = 1, message: str = "it broke") -> LeaseFailed:
        return LeaseFailed(
            job_id=job["id"], attempt=attempt, code=code, message=message, metered_ms=5_000, **self.common
        )

    def releases(self, job: dict[str, Any], attempt: int = 1) -> LeaseReleased:
        return LeaseReleased(job_id=job["id"], attempt=attempt, miner_id=self.miner_id)

    def stops(self, job: dict[str, Any], attempt: int = 1, metered_ms: int = 5_000) -> WorkWithdrawn:
        return WorkWithdrawn(job_id=job["id"], attempt=attempt, metered_ms=metered_ms)

    def loses(self, job: dict[str, Any], code: str, attempt: int = 1) -> LeaseExpired:
        return LeaseExpired(job_id=job["id"], attempt=attempt, code=code, metered_ms=5_000, **self.common)


def running(api: Any, miner: MinerFacts, **body: Any) -> dict[str, Any]:
    job = queued(api, **body)
    publish(miner.grants(job))
    return job


def state(api: Any, job: dict[str, Any]) -> str:
    return str(api.json("GET", f"/ai/jobs/{job['id']}", status=200)["state"])


def states_of(job: dict[str, Any]) -> list[str]:
    """The states a job has been in, first to last."""
    events = AIJob.history_model()._base_manager.filter(subject_id=UUID(job["id"])).order_by("seq")
    return [event.to_state for event in events]


def upload(api: Any, body: bytes = b"hello", status: int = 201) -> Any:
    answer = api.request("POST", "/ai/artifacts", body, content_type="application/octet-stream")
    assert answer.status_code == status, answer.content
    return answer.json()


def large_result(api: Any, miner: MinerFacts) -> tuple[dict[str, Any], str]:
    """A job that has ended with a result too large for a row, and the SHA-256 of the result."""
    stored = blobs.put([orjson.dumps({"text": "y" * 100_000})], limit=1 << 20)
    job = running(api, miner)
    publish(miner.completes(job, None, result_sha256=stored.sha256, result_size=stored.size))
    return job, stored.sha256


def run_together(*calls: Callable[[], object]) -> list[Exception | None]:
    """Run these calls in threads that start together; returns what each raised, or None."""
    barrier = threading.Barrier(len(calls))
    errors: list[Exception | None] = [None] * len(calls)

    def one(place: int, call: Callable[[], object]) -> None:
        barrier.wait()
        try:
            call()
        except Exception as error:  # noqa: BLE001  # returned to the test, which looks at its class
            errors[place] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors
