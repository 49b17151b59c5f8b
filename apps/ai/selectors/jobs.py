"""Answers that join a job with what its neighbours know: result, receipt, payment, explanation. Reads only."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.utils import timezone

from aitbc.core.db import ABSENT_NEIGHBOUR
from apps.ai.errors import ReceiptNotIssued, ResultNotReady
from apps.ai.models import AIJob, AIJobResult
from apps.ai.services.results import content_of
from apps.ai.states import FINAL, WITH_RESULT, JobState
from apps.gpu import interface as gpu
from apps.trading import interface as trading

SUMMARIES = {
    JobState.SUBMITTED: "Its payment is being held; then it is queued.",
    JobState.RUNNING: "A miner is working on it.",
    JobState.SUCCEEDED: "Its result is there; the receipt is being issued.",
    JobState.SETTLED: "It is done and paid for.",
}


def result_of(job: AIJob) -> dict[str, Any]:
    """How the job came out. Raises ResultNotReady (425) until it has ended."""
    if job.state in WITH_RESULT:
        return _success(job, AIJobResult.objects.get(pk=job.pk))
    if job.state in FINAL:
        return _outcome(job, None)
    raise ResultNotReady(f"The job is {job.state}.", state=job.state)


def _outcome(job: AIJob, result: Any) -> dict[str, Any]:
    return {
        "id": job.pk, "job_id": job.pk, "state": job.state, "status": job.state, "result": result,
        "error": job.error or None, "outcome": job.outcome or None, "receipt_id": job.receipt_id,
        "completed_at": job.completed_at, "attempt": job.attempt,
    }  # fmt: skip


def _success(job: AIJob, row: AIJobResult) -> dict[str, Any]:
    answer = _outcome(job, content_of(row))
    answer |= {"metered_ms": row.metered_ms, "result_sha256": row.sha256, "metrics": row.metrics}
    if row.is_blob:
        answer["artifact"] = {"sha256": row.sha256, "size": row.size, "url": f"/ai/artifacts/{row.sha256}"}
    receipt = _receipt_at_hand(job)
    return answer | ({"receipt": receipt} if receipt else {})


def _receipt_at_hand(job: AIJob) -> dict[str, Any] | None:
    """The receipt in the seed's format; a result is not withheld because trading is away."""
    if job.receipt_id is None:
        return None
    try:
        return trading.old_receipt_of(job.pk)
    except ABSENT_NEIGHBOUR:
        return None


def receipt_of(job: AIJob) -> dict[str, Any]:
    """The receipt as trading issued it. Raises ReceiptNotIssued (404) until then."""
    receipt = trading.receipt_of(job.pk)
    if receipt is None:
        raise ReceiptNotIssued(f"The job is {job.state}.", state=job.state)
    return asdict(receipt) | {"bundle_url": f"/trading/receipts/{receipt.receipt_id}/bundle"}


def payment_of(job: AIJob) -> dict[str, Any]:
    """The job's money as trading has it, or as ai expects it while trading has not heard."""
    known = trading.payment_of(job.pk)
    answer = {
        "job_id": job.pk, "payment_id": None, "status": job.payment_status, "amount": job.payment_amount,
        "currency": job.payment_currency, "paid": 0, "fee": 0, "refunded": 0, "created_at": None, "ended_at": None,
    }  # fmt: skip
    if known is not None:
        answer |= {
            "payment_id": known.id, "status": known.state, "amount": known.amount, "paid": known.paid,
            "fee": known.fee, "refunded": known.refunded, "created_at": known.created_at, "ended_at": known.ended_at,
        }  # fmt: skip
    return answer


def explanation_of(job: AIJob) -> dict[str, Any]:
    """Why the job waits: which constraints keep which miners away, and how many are ahead."""
    since = job.queued_at or job.created_at
    until = job.started_at or job.completed_at or timezone.now()
    answer: dict[str, Any] = {
        "job_id": job.pk, "state": job.state, "waited_seconds": max(0.0, round((until - since).total_seconds(), 3)),
        "summary": SUMMARIES.get(JobState(job.state), job.error or f"It is {job.state}."),
    }  # fmt: skip
    if job.state != JobState.QUEUED:
        return answer
    why = gpu.explain(job.requirement, job.pk)
    return answer | asdict(why) | {"summary": _summary(why)}


def _summary(why: gpu.Explanation) -> str:
    if not why.online_miners:
        return "No miner is online."
    closed = [one["name"] for one in why.constraints if not one["pass"]]
    if closed:
        return f"No online miner passes: {', '.join(closed)}."
    if not why.fitting_miners:
        return "Each constraint is passed by some online miner, all of them together by none."
    return f"{why.ahead} jobs are ahead." if why.ahead else "It is next for the first miner that fits and is free."
