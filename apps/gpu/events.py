"""Facts the gpu domain publishes about leases: ai decides what they mean for the job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aitbc.core.messaging import Event


@dataclass(frozen=True, kw_only=True)
class LeaseGranted(Event):
    """A miner holds the job; attempt is the fencing token."""

    NAME = "gpu.lease.granted.v1"
    KEY = "job_id"
    job_id: str
    attempt: int
    miner_id: str
    provider_id: str  # owner of the miner, who is paid
    rate: int  # micro-AIT per hour
    granted_at: str
    lease_until: str


@dataclass(frozen=True, kw_only=True)
class JobProgressed(Event):
    """A miner reported progress of a job it holds."""

    NAME = "gpu.job.progressed.v1"
    KEY = "job_id"
    job_id: str
    attempt: int
    progress: float  # 0..1
    note: str


@dataclass(frozen=True, kw_only=True)
class LeaseCompleted(Event):
    """The miner holding the lease delivered a result in time."""

    NAME = "gpu.lease.completed.v1"
    KEY = "job_id"
    job_id: str
    attempt: int
    miner_id: str
    provider_id: str
    rate: int
    started_at: str
    ended_at: str
    metered_ms: int
    result: Any  # None when the result is a blob
    result_sha256: str
    result_size: int
    metrics: dict[str, Any]  # what the miner claims, recorded as a claim only


@dataclass(frozen=True, kw_only=True)
class LeaseFailed(Event):
    """The miner holding the lease gave up, with its reason."""

    NAME = "gpu.lease.failed.v1"
    KEY = "job_id"
    job_id: str
    attempt: int
    miner_id: str
    provider_id: str
    rate: int
    code: str  # BAD_INPUT | OUT_OF_MEMORY | ENGINE_ERROR | INFERENCE_FAILED | REFUSED | CANCELLED | DRAINING | UNKNOWN
    message: str
    metered_ms: int


@dataclass(frozen=True, kw_only=True)
class LeaseExpired(Event):
    """A lease ended because its miner fell silent or ran past its limit."""

    NAME = "gpu.lease.expired.v1"
    KEY = "job_id"
    job_id: str
    attempt: int
    miner_id: str
    provider_id: str
    rate: int
    code: str  # start_timeout | heartbeat_timeout | execution_timeout | miner_gone
    metered_ms: int
