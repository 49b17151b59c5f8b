"""A miner's jobs and earnings: its leases joined with the jobs of ai and the payments of trading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from aitbc.core.db import DOMAIN_UNAVAILABLE
from aitbc.core.money import format_amount, metered
from apps.ai import interface as ai
from apps.gpu.models import Lease, Miner
from apps.gpu.states import LeaseState
from apps.trading import interface as trading

CURRENCY = "AITBC"
SCANNED = 1000  # leases that a filter by kind of work or reward reads, newest first
PENDING_SCANNED = 50


@dataclass(frozen=True)
class MinerJob:
    """One lease of a miner, with the kind of work and the most the client pays (AIT); None where ai is not reached."""

    lease: Lease
    task_type: str | None
    reward: str | None


@dataclass(frozen=True)
class MinerJobs:
    """A page of a miner's leases, newest first; `total` counts those that match."""

    total: int
    jobs: list[MinerJob]


def jobs_of(miner: Miner, query: Mapping[str, Any]) -> MinerJobs:
    """Return a page of what the miner did; `query` has limit, offset, and optionally job_status, job_type, min_reward
    (µAIT).

    `job_type` and `min_reward` filter the last thousand leases only, since ai owns the jobs.
    """
    leases = Lease.objects.of_miner(miner.pk).order_by("-id")
    if query.get("job_status"):
        leases = leases.filter(state=query["job_status"].lower())
    first, behind = query["offset"], query["offset"] + query["limit"]
    if query.get("job_type") or query.get("min_reward"):
        recent = list(leases[:SCANNED])
        known = ai.job_views(lease.job_id for lease in recent)
        matching = [lease for lease in recent if _matches(known.get(lease.job_id), query)]
        page, total = matching[first:behind], len(matching)
    else:
        page, total = list(leases[first:behind]), leases.count()
        known = _known(page)
    return MinerJobs(total, [_job(lease, known.get(lease.job_id)) for lease in page])


def earnings_of(miner: Miner, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the miner was paid, and what it delivered that is not settled yet."""
    since, until = query.get("from_time"), query.get("to_time")
    paid = trading.earnings(miner.owner_id, miner.pk, since, until)
    history, pending = _history(miner.pk)
    return {
        "miner_id": miner.name,
        "currency": CURRENCY,
        "total_earnings": format_amount(paid.paid + pending),
        "paid_earnings": format_amount(paid.paid),
        "pending_earnings": format_amount(pending),
        "fees": format_amount(paid.fee),
        "completed_jobs": paid.jobs,
        "from_time": since,
        "to_time": until,
        "earnings_history": history,
    }


def _matches(job: ai.JobView | None, query: Mapping[str, Any]) -> bool:
    if job is None:
        return False
    fits = not query.get("job_type") or job.task_type == query["job_type"]
    return fits and job.payment_amount >= (query.get("min_reward") or 0)


def _known(leases: Sequence[Lease]) -> dict[UUID, ai.JobView]:
    """The jobs of the leases by id; none while ai's database cannot be reached."""
    try:
        return ai.job_views(lease.job_id for lease in leases)
    except DOMAIN_UNAVAILABLE:
        return {}


def _job(lease: Lease, job: ai.JobView | None) -> MinerJob:
    if job is None:
        return MinerJob(lease, None, None)
    return MinerJob(lease, job.task_type, format_amount(job.payment_amount))


def _history(miner_id: UUID) -> tuple[list[dict[str, Any]], int]:
    """The latest completed jobs with their payments, and the sum (before fees) of those not settled yet."""
    history: list[dict[str, Any]] = []
    pending = 0
    done = Lease.objects.of_miner(miner_id).filter(state=LeaseState.COMPLETED).order_by("-id")[:PENDING_SCANNED]
    for lease in done:
        payment = trading.payment_of(lease.job_id)
        held = payment is not None and payment.state == "held"
        owed = min(metered(lease.rate, lease.metered_ms), payment.amount) if held and payment else 0
        pending += owed
        status = "unpaid" if payment is None else "pending" if held else "paid" if payment.paid else payment.state
        amount = owed if held else payment.paid if payment else 0
        history.append(
            {
                "job_id": str(lease.job_id),
                "amount": format_amount(amount),
                "currency": CURRENCY,
                "payment_status": status,
            }
        )
    return history[:20], pending
