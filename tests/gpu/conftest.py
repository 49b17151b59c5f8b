"""What tests of the gpu domain share: jobs as ai would queue them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import settings

from aitbc.core.ids import uuid7
from aitbc.core.messaging import HANDLERS, Event
from apps.ai.events import JobQueued
from apps.gpu.models import Work
from apps.gpu.services import queue
from tests.clients import Api
from tests.gpu.factories import LISTENER, M

# The machines that run this are shared: an example may take long, which says nothing about it.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

ANYTHING: dict[str, Any] = {
    "task_type": "inference",
    "gpu": None,
    "gpu_count": 0,
    "min_vram_mb": 0,
    "models": [],
    "region": None,
    "cuda": None,
    "max_price": None,
    "min_reputation": None,
    "data_class": None,
    "miner_id": None,
}


def queued(*, owner_id: UUID | None = None, attempt: int = 0, job_id: str | None = None, **changes: Any) -> JobQueued:
    """A job as ai announces it; keyword arguments that are requirements go there, the rest are fields of the fact."""
    terms = {*ANYTHING, "booking_id"}
    requirement = {**ANYTHING, **{name: changes.pop(name) for name in list(changes) if name in terms}}
    fields: dict[str, Any] = {
        "task_type": requirement["task_type"],
        "requirement": requirement,
        "constraints": {},
        "payload": {"prompt": "hello"},
        "input_sha256": None,
        "input_size": 0,
        "priority": 0,
        "cost": 60,
        "not_before": None,
        "start_seconds": 30,
        "heartbeat_seconds": 60,
        "execution_seconds": 600,
        "paid": False,
        **changes,
    }
    return JobQueued(job_id=job_id or str(uuid7()), owner_id=str(owner_id or uuid4()), attempt=attempt, **fields)


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have facts written to the outbox even where nobody subscribes to them yet."""

    def subscribe(*facts: type[Event]) -> None:
        for fact in facts:
            monkeypatch.setitem(HANDLERS, (fact.NAME, LISTENER), lambda events: None)

    return subscribe


@pytest.fixture
def enqueue() -> Callable[..., str]:
    """Put one job into the queue and return its id."""

    def put(**changes: Any) -> str:
        fact = queued(**changes)
        queue.enqueue([fact])
        return fact.job_id

    return put


@pytest.fixture
def waiting() -> Callable[[], int]:
    return lambda: Work.objects.waiting().count()


@pytest.fixture
def held(miner_api: Api, enqueue: Callable[..., str]) -> str:
    """A job that the miner `rig` holds."""
    job_id = enqueue()
    miner_api.json("POST", f"{M}/register", {"capabilities": {}, "miner_id": "rig"}, status=200)
    miner_api.json("POST", f"{M}/poll", {}, status=200)
    return job_id
