"""Facts the ai domain publishes about jobs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aitbc.core.messaging import Event


@dataclass(frozen=True, kw_only=True)
class JobSubmitted(Event):
    """A paid job was accepted; its payment is to be held."""

    NAME = "ai.job.submitted.v1"
    KEY = "job_id"
    job_id: str
    owner_id: str
    amount: int  # micro-AIT, the most the client will pay


@dataclass(frozen=True, kw_only=True)
class JobQueued(Event):
    """A job may be handed to a miner."""

    NAME = "ai.job.queued.v1"
    KEY = "job_id"
    job_id: str
    owner_id: str
    task_type: str
    requirement: dict[str, Any]
    constraints: dict[str, Any]  # as the client wrote them, shown to the miner
    payload: Any  # None when the input is a blob
    input_sha256: str | None
    input_size: int
    priority: int
    cost: int  # fair-share cost, expected seconds of work
    attempt: int  # attempts used so far; the next lease carries attempt + 1
    not_before: str | None  # RFC 3339, back-off after a failed attempt
    start_seconds: int  # without a sign of life within this a lease expires
    heartbeat_seconds: int  # silence allowed while it runs
    execution_seconds: int  # wall time allowed for one attempt
    paid: bool
    excluded_owners: list[str] = field(default_factory=list)  # whose word on the input is to be checked by others


@dataclass(frozen=True, kw_only=True)
class JobWithdrawn(Event):
    """A job no longer needs a miner: it was cancelled, expired or was deleted."""

    NAME = "ai.job.withdrawn.v1"
    KEY = "job_id"
    job_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class JobPrioritized(Event):
    """An operator changed the priority of a waiting job."""

    NAME = "ai.job.prioritized.v1"
    KEY = "job_id"
    job_id: str
    priority: int


@dataclass(frozen=True, kw_only=True)
class JobCompleted(Event):
    """A result was accepted; the miner is to be paid and a receipt issued."""

    NAME = "ai.job.completed.v1"
    KEY = "job_id"
    job_id: str
    owner_id: str
    task_type: str
    model: str
    miner_id: str
    provider_id: str
    attempt: int
    rate: int  # micro-AIT per hour, agreed at the lease
    metered_ms: int
    started_at: str
    ended_at: str
    salt: str  # of the receipt's commitments to what was read and written
    payload_sha256: str
    artifacts: list[str]
    output_sha256: str
    paid: bool


@dataclass(frozen=True, kw_only=True)
class JobEnded(Event):
    """A job ended without a result; the hold is refunded, less what is due for metered work."""

    NAME = "ai.job.ended.v1"
    KEY = "job_id"
    job_id: str
    owner_id: str
    state: str  # failed | cancelled | expired | dead
    code: str
    miner_id: str | None
    provider_id: str | None
    rate: int
    billable_ms: int  # 0 means refund everything
    paid: bool
    # What the receipt of a metered part says:
    task_type: str = ""
    model: str = ""
    attempt: int = 0
    started_at: str = ""
    ended_at: str = ""
    salt: str = ""
    payload_sha256: str = ""
    artifacts: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class InputJudged(Event):
    """Miners said that a job's input is bad, and now it is known whether they were right."""

    NAME = "ai.input.judged.v1"
    KEY = "job_id"
    job_id: str
    attempts: list[int]  # those that said so
    bad: bool
