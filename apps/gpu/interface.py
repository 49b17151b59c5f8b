"""Questions other domains may ask gpu: reads only, answered by frozen dataclasses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from django.db.models import Avg, Count, DurationField, ExpressionWrapper, F

from apps.gpu.logic import llm, roofline
from apps.gpu.logic.job_matching import CHECKS, Candidate
from apps.gpu.logic.market_rates import MarketRate as MarketRate
from apps.gpu.models import Lease, Miner, RequirementClass, Work
from apps.gpu.services.market_rates import MARKET_RATES
from apps.gpu.services.requirement_classes import on_grid, online
from apps.gpu.services.silence import Heard as Heard
from apps.gpu.services.silence import heard
from apps.gpu.states import LeaseState

HISTORY = 200  # finished leases of a class that an estimate is made from
NAMES = {"gpu": ("gpu", "gpu_count", "min_vram_mb")}  # one check judges these together


#: One constraint of a job: its value, how many online miners pass it, how many would fit were it dropped.
ConstraintReport = TypedDict("ConstraintReport", {"name": str, "value": Any, "pass": int, "if_relaxed": int})


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a job waits: who is online, what each constraint costs it, where it stands.

    `position` and `ahead` are None unless the job waits in the queue, `estimate_seconds` also while no job of its class
    has completed or no miner fits.
    """

    online_miners: int
    fitting_miners: int
    constraints: list[ConstraintReport] = field(default_factory=list)
    position: int | None = None
    ahead: int | None = None
    estimate_seconds: int | None = None


@dataclass(frozen=True, kw_only=True)
class LeaseView:
    """Who holds a job now: `rate` in micro-AIT per hour, `progress` from 0 to 1, `suspect` when its miner is silent."""

    job_id: UUID
    attempt: int
    miner_id: UUID
    provider_id: UUID
    rate: int
    granted_at: datetime
    started_at: datetime | None
    lease_until: datetime
    progress: float
    note: str
    suspect: bool
    cancelling: bool


@dataclass(frozen=True, kw_only=True)
class LeaseRecord:
    """What a lease that is over was: rate in micro-AIT per hour; `result_sha256` is empty without a result."""

    miner_id: UUID
    provider_id: UUID
    rate: int
    granted_at: datetime
    ended_at: datetime | None
    metered_ms: int
    result_sha256: str


def explain(requirement: Mapping[str, Any], job_id: UUID | str | None) -> Explanation:
    """Explain why a job waits: online miners that pass each constraint, its position, seconds until it starts.

    Returns an Explanation for a requirement; without a job id, or for a job that is not queued, it has no position. A
    price ceiling (micro-AIT per hour) is rounded down to its grid.
    """
    needs = on_grid(requirement)
    miners = list(online())
    verdicts = [{name: check(needs, miner) for name, check in CHECKS.items()} for miner in miners]
    fitting = sum(all(verdict.values()) for verdict in verdicts)
    work = Work.objects.open().filter(job_id=job_id).first() if job_id else None
    ahead = Work.objects.ahead_of(work).count() if work is not None and work.state == "waiting" else None
    return Explanation(
        online_miners=len(miners),
        fitting_miners=fitting,
        constraints=[_constraint(name, needs, verdicts) for name in CHECKS if _shown(name, needs, verdicts)],
        position=None if ahead is None else ahead + 1,
        ahead=ahead,
        estimate_seconds=_estimate(work, ahead, _slots(miners, verdicts)),
    )


def market_rate(requirement: Mapping[str, Any]) -> MarketRate | None:
    """Return the median rate at which online miners offer the kind of GPU that is required, one price per owner.

    It is the median over all owners where none offers that kind, None without any; at most half a minute old.
    """
    return MARKET_RATES.of(requirement)


def holder(job_id: UUID | str) -> LeaseView | None:
    """Return the live lease on a job; None when no miner holds it."""
    lease = Lease.objects.live().filter(job_id=job_id).first()
    if lease is None:
        return None
    plain = {
        name: getattr(lease, name) for name in LeaseView.__dataclass_fields__ if name not in ("suspect", "cancelling")
    }
    return LeaseView(**plain, suspect=lease.suspect_at is not None, cancelling=lease.cancel_at is not None)


def with_result(job_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of these jobs of which gpu has accepted a result."""
    done = Lease.objects.filter(job_id__in=list(job_ids), state=LeaseState.COMPLETED)
    return set(done.values_list("job_id", flat=True))


def last_heard(miner_ids: Iterable[UUID]) -> dict[UUID, Heard]:
    """Return when each of these miners was last heard, and whether it has missed a heartbeat since."""
    return heard(miner_ids)


def lease_records(job_ids: Iterable[UUID]) -> dict[tuple[UUID, int], LeaseRecord]:
    """Return the leases on these jobs by job and attempt, without those that never reached their miner."""
    leases = Lease.objects.filter(job_id__in=list(job_ids)).exclude(state=LeaseState.RELEASED)
    names = LeaseRecord.__dataclass_fields__
    return {
        (lease.job_id, lease.attempt): LeaseRecord(**{name: getattr(lease, name) for name in names}) for lease in leases
    }


def attempts_of(job_id: UUID | str) -> list[tuple[int, str]]:
    """Return every lease on a job so far as (attempt, state), oldest first; for reconciliation."""
    return list(Lease.objects.filter(job_id=job_id).order_by("id").values_list("attempt", "state"))


def _is_constrained(name: str, needs: Mapping[str, Any]) -> bool:
    return any(needs.get(key) not in (None, [], 0, "") for key in NAMES.get(name, (name,)))


def _shown(name: str, needs: Mapping[str, Any], verdicts: list[dict[str, bool]]) -> bool:
    """A constraint is listed when the job has it; booking_id also where it excludes miners."""
    return _is_constrained(name, needs) or (name == "booking_id" and not all(verdict[name] for verdict in verdicts))


def _constraint(name: str, needs: Mapping[str, Any], verdicts: list[dict[str, bool]]) -> ConstraintReport:
    keys = NAMES.get(name, (name,))
    return {
        "name": name,
        "value": needs.get(name) if len(keys) == 1 else {key: needs.get(key) for key in keys},
        "pass": sum(verdict[name] for verdict in verdicts),
        "if_relaxed": sum(all(ok for other, ok in verdict.items() if other != name) for verdict in verdicts),
    }


def _slots(miners: list[Candidate], verdicts: list[dict[str, bool]]) -> int:
    fitting = [miner.id for miner, verdict in zip(miners, verdicts, strict=True) if all(verdict.values())]
    return sum(Miner.objects.filter(pk__in=fitting).values_list("concurrency", flat=True))


def _estimate(work: Work | None, ahead: int | None, slots: int) -> int | None:
    """Seconds until it starts: jobs ahead × how long its class's jobs took, over the slots that serve it."""
    if work is None or ahead is None or not slots or not RequirementClass.objects.filter(pk=work.class_id).exists():
        return None
    took = ExpressionWrapper(F("ended_at") - F("granted_at"), output_field=DurationField())
    done = Lease.objects.filter(class_id=work.class_id, state=LeaseState.COMPLETED).order_by("-ended_at", "-pk")[
        :HISTORY
    ]
    known = done.aggregate(mean=Avg(took), count=Count("pk"))
    if not known["count"]:
        return None
    return int((ahead + 1) * known["mean"].total_seconds() / slots)


@dataclass(frozen=True, kw_only=True)
class DecodeModel:
    """A named model at one setting, as terms of an SQL expression over cards:

    tokens/s of all users = batch / (greatest(bytes_per_step / (efficiency_bandwidth · bandwidth_gbps · 1e9),
    flops_per_step / (efficiency_compute · fp16_tflops · 1e12)) + overhead_s); it fits where 0.92 · memory ≥ need_mb
    (`usable_share`). A card without an fp16 figure computes at its fp32 rate.
    """

    model: str
    quantisation: str
    ctx: int
    batch: int
    bytes_per_step: float
    flops_per_step: float
    overhead_s: float
    need_mb: float  # MiB, as memory_mb is
    usable_share: float
    efficiency_bandwidth: float
    efficiency_compute: float

    def tokens_per_second(self, *, memory_mb: float, bandwidth_gbps: float, fp16_tflops: float) -> float | None:
        """Return tokens per second of all users together by the same expression; None when the model does not fit.

        Takes MiB of memory, GB/s (10⁹ bytes) of bandwidth, TFLOPS at fp16.
        """
        if self.usable_share * memory_mb < self.need_mb:
            return None
        memory = self.bytes_per_step / (self.efficiency_bandwidth * bandwidth_gbps * 1e9)
        compute = self.flops_per_step / (self.efficiency_compute * fp16_tflops * 1e12)
        return self.batch / (max(memory, compute) + self.overhead_s)


def decode_model(name: str, *, quantisation: str = "q4_k_m", ctx: int = 4096, batch: int = 1) -> DecodeModel:
    """Return the terms of decoding with this model, for `ctx` tokens of context per user and `batch` users.

    Raises llm.UnknownModel (a ValueError, with the `nearest` names), or ValueError for an unknown format.
    """
    load = roofline.Load(llm.find(name), llm.quant_of(quantisation), ctx=ctx, batch=batch)
    model, eff = load.model, roofline.DEFAULT
    cache = batch * model.kv_bytes(load.kv_bytes) * ctx
    return DecodeModel(
        model=model.name, quantisation=load.quant.name, ctx=ctx, batch=batch,
        bytes_per_step=model.touched_params(batch) * load.quant.bits / 8 + cache,
        flops_per_step=2 * model.active_params * batch,
        overhead_s=roofline.LAUNCH_SECONDS * model.layers / 32,
        need_mb=roofline.need(load) / 2**20, usable_share=roofline.USABLE_SHARE,
        efficiency_bandwidth=eff.decode, efficiency_compute=eff.compute,
    )  # fmt: skip
