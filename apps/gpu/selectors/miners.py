"""Answers that join a miner's leases with what its neighbours know: kind of work, payment. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from aitbc.core.db import ABSENT_NEIGHBOUR
from aitbc.core.money import format_amount, metered
from apps.ai import interface as ai
from apps.gpu.models import Lease, Miner
from apps.gpu.serializers.leases import LeaseSerializer
from apps.gpu.states import LeaseState
from apps.trading import interface as trading

CURRENCY = "AITBC"
LOOKED_AT = 1000  # leases that a filter by kind of work or reward looks through, newest first
PENDING_LOOKED_AT = 50


def jobs_of(miner: Miner, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the miner did, newest first; `job_type` and `min_reward` look through its last thousand leases."""
    leases = Lease.objects.of_miner(miner.pk).order_by("-id")
    if asked.get("job_status"):
        leases = leases.filter(state=asked["job_status"].lower())
    first, behind = asked["offset"], asked["offset"] + asked["limit"]
    if asked.get("job_type") or asked.get("min_reward"):
        recent = list(leases[:LOOKED_AT])
        known = ai.job_views(lease.job_id for lease in recent)
        meant = [lease for lease in recent if _is_meant(known.get(lease.job_id), asked)]
        shown, total = meant[first:behind], len(meant)
    else:
        shown, total = list(leases[first:behind]), leases.count()
        known = _known(shown)
    return {
        "miner_id": miner.name,
        "limit": asked["limit"],
        "offset": first,
        "total": total,
        "jobs": [_job(lease, known.get(lease.job_id)) for lease in shown],
    }


def earnings_of(miner: Miner, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the miner was paid, and what it delivered that is not settled yet."""
    since, until = asked.get("from_time"), asked.get("to_time")
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


def _is_meant(job: ai.JobView | None, asked: Mapping[str, Any]) -> bool:
    if job is None:
        return False
    fits = not asked.get("job_type") or job.task_type == asked["job_type"]
    return fits and job.payment_amount >= (asked.get("min_reward") or 0)


def _known(leases: Sequence[Lease]) -> dict[UUID, ai.JobView]:
    """The jobs behind the leases; a miner's history is not withheld because ai is away."""
    try:
        return ai.job_views(lease.job_id for lease in leases)
    except ABSENT_NEIGHBOUR:
        return {}


def _job(lease: Lease, job: ai.JobView | None) -> dict[str, Any]:
    offered = {"task_type": job.task_type, "reward": format_amount(job.payment_amount)} if job else {}
    return {**LeaseSerializer(lease).data, "task_type": None, "reward": None, **offered}


def _history(miner_id: UUID) -> tuple[list[dict[str, Any]], int]:
    """The latest completed jobs with their payments, and the sum (before fees) of those not settled yet."""
    history: list[dict[str, Any]] = []
    pending = 0
    done = Lease.objects.of_miner(miner_id).filter(state=LeaseState.COMPLETED).order_by("-id")[:PENDING_LOOKED_AT]
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
