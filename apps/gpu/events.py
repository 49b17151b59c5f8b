"""Facts the gpu domain publishes: about leases (for ai, which owns the jobs) and about GPUs (for the marketplace)."""

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
class LeaseReleased(Event):
    """A grant never reached its miner and was undone: the job waits again, the attempt was not made."""

    NAME = "gpu.lease.released.v1"
    KEY = "job_id"
    job_id: str
    attempt: int
    miner_id: str


@dataclass(frozen=True, kw_only=True)
class WorkWithdrawn(Event):
    """No miner works for a withdrawn job any more, or is paid for it: the answer to JobWithdrawn.

    A job whose result was accepted before has LeaseCompleted as its answer.
    """

    NAME = "gpu.work.withdrawn.v1"
    KEY = "job_id"
    job_id: str
    attempt: int  # the one that ran; 0: none did
    metered_ms: int  # until the withdrawal, or the last sign of life of a silent miner


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


@dataclass(frozen=True, kw_only=True)
class GpuChanged(Event):
    """A GPU was registered, benchmarked, or changed its state or description: the whole of it as it is now."""

    NAME = "gpu.device.changed.v1"
    KEY = "gpu_id"
    gpu_id: str
    miner_id: str
    owner_id: str
    seq: int  # the registry row's version and time order: a later fact has a larger one
    state: str
    device: str  # gpu | cpu
    name: str  # as reported
    model: str  # of the catalogue; "" when none fits
    vendor: str
    architecture: str
    memory_mb: int
    bandwidth_gbps: float | None  # measured when verified, else the catalogue's
    fp32_tflops: float | None
    fp16_tflops: float | None
    tdp_w: float | None
    compute_capability: str
    cuda: str
    driver: str
    region: str
    verified: bool
    verified_at: str | None
    score: float | None
    price_per_hour: int | None  # micro-AIT
    up_mbps: float | None
    down_mbps: float | None


@dataclass(frozen=True, kw_only=True)
class MinerHourJudged(Event):
    """How a miner did in one full hour: whether its heartbeats came, and how its leases ended.

    Leases are summed up per hour: a fact per job would double the relay's work for a number that is read once an hour.
    """

    NAME = "gpu.miner.hour_judged.v1"
    KEY = "miner_id"
    miner_id: str
    owner_id: str
    hour: str  # RFC 3339, the hour's start
    met: bool
    leases_kept: int = 0  # completed, or failed through the client's input
    leases_broken: int = 0  # failed or expired through the miner's fault


@dataclass(frozen=True, kw_only=True)
class BookingProvisioned(Event):
    """The miner says that a reserved booking's cards are ready for the renter."""

    NAME = "gpu.booking.provisioned.v1"
    KEY = "booking_id"
    booking_id: str
    miner_id: str
    at: str


@dataclass(frozen=True, kw_only=True)
class BookingBroken(Event):
    """A booked card is gone: its miner fell silent, left, or the card was quarantined."""

    NAME = "gpu.booking.broken.v1"
    KEY = "booking_id"
    booking_id: str
    gpu_id: str
    reason: str  # offline | quarantined | retired | deregistered
    at: str
