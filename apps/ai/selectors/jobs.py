"""Reads that join a job with what other domains know: result, receipt, payment, explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NotRequired, TypedDict
from uuid import UUID

import orjson
from django.utils import timezone

from aitbc.core import blobs
from aitbc.core.db import DOMAIN_UNAVAILABLE
from apps.ai.errors import ReceiptNotIssued, ResultNotReady, ResultRemoved
from apps.ai.logic.amounts import shown
from apps.ai.models import AIJob, AIJobResult
from apps.ai.states import FINAL, WITH_RESULT, JobState
from apps.gpu import interface as gpu
from apps.trading import interface as trading

SUMMARIES = {
    JobState.SUBMITTED: "Its payment is being held; then it is queued.",
    JobState.RUNNING: "A miner is working on it.",
    JobState.SUCCEEDED: "Its result is there; the receipt is being issued.",
    JobState.SETTLED: "It is done and paid for.",
}


class ArtifactLink(TypedDict):
    """Where a large result is kept as a file."""

    sha256: str
    size: int
    url: str


class JobResult(TypedDict):
    """How a job ended; the members that may be absent are those of a job with a result."""

    id: UUID
    job_id: UUID
    state: str
    status: str
    result: Any
    error: str | None
    outcome: str | None
    receipt_id: str | None
    completed_at: datetime | None
    attempt: int
    metered_ms: NotRequired[int]
    result_sha256: NotRequired[str]
    metrics: NotRequired[dict[str, Any]]  # as the miner claims
    artifact: NotRequired[ArtifactLink]
    receipt: NotRequired[dict[str, Any]]  # in the legacy format


class JobPayment(TypedDict):
    """The payment of a job; amounts in micro-AIT."""

    job_id: UUID
    payment_id: UUID | None
    status: str
    amount: int
    currency: str
    paid: int
    fee: int
    refunded: int
    created_at: datetime | None
    ended_at: datetime | None


class JobReceipt(TypedDict):
    """The signed receipt; the bundle behind the link proves it offline."""

    receipt_id: UUID
    job_id: UUID
    issued_at: datetime
    receipt: dict[str, Any]
    signature: dict[str, Any]
    tx_hash: str
    bundle_url: str


class JobExplanation(TypedDict):
    """Why a job waits; the members that may be absent are those of a queued job."""

    job_id: UUID
    state: str
    summary: str
    waited_seconds: float
    online_miners: NotRequired[int]
    fitting_miners: NotRequired[int]
    constraints: NotRequired[Sequence[Mapping[str, Any]]]  # name, value, pass, if_relaxed
    position: NotRequired[int | None]
    ahead: NotRequired[int | None]
    estimate_seconds: NotRequired[float | None]


def result_of(job: AIJob) -> JobResult:
    """Return how the job ended. Raises ResultNotReady (425) until then, ResultRemoved (410) when it is not kept."""
    if job.state in WITH_RESULT:
        return _success(job, AIJobResult.objects.get(pk=job.pk))
    if job.state in FINAL:
        return _ending(job, None)
    raise ResultNotReady(f"The job is {job.state}.", state=job.state)


def _ending(job: AIJob, result: Any) -> JobResult:
    return {
        "id": job.pk, "job_id": job.pk, "state": job.state, "status": job.state, "result": result,
        "error": job.error or None, "outcome": job.outcome or None, "receipt_id": job.receipt_id,
        "completed_at": job.completed_at, "attempt": job.attempt,
    }  # fmt: skip


def _success(job: AIJob, row: AIJobResult) -> JobResult:
    found = _ending(job, _content_of(row))
    found |= {"metered_ms": row.metered_ms, "result_sha256": row.sha256, "metrics": row.metrics}
    if row.is_blob:
        found["artifact"] = {"sha256": row.sha256, "size": row.size, "url": f"/ai/artifacts/{row.sha256}"}
    if receipt := _legacy_receipt(job):
        found["receipt"] = receipt
    return found


def _content_of(row: AIJobResult) -> Any:
    """The result as the miner sent it, from the row or from its blob. Raises ResultRemoved."""
    if not row.is_blob:
        return row.result
    if row.removed_at is not None:
        raise _removed(row.removed_at, AIJobResult.RemovedBy(row.removed_by))
    body = blobs.read(row.sha256)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", errors="replace")


def _removed(at: datetime, by: AIJobResult.RemovedBy) -> ResultRemoved:
    reasons = {
        AIJobResult.RemovedBy.OWNER: "its owner deleted its artifact",
        AIJobResult.RemovedBy.RETENTION: "large results are kept for a limited time after their job has ended",
    }
    detail = f"It was removed on {at:%Y-%m-%d at %H:%M} UTC: {reasons[by]}. Submit the job again to compute it anew."
    return ResultRemoved(detail, removed_at=at.isoformat(), removed_by=str(by))


def _legacy_receipt(job: AIJob) -> dict[str, Any] | None:
    """The receipt in the legacy format; a result is not withheld because trading is down."""
    if job.receipt_id is None:
        return None
    try:
        return trading.legacy_receipt_of(job.pk)
    except DOMAIN_UNAVAILABLE:
        return None


def receipt_of(job: AIJob) -> JobReceipt:
    """Return the receipt as trading issued it. Raises ReceiptNotIssued (404) until then."""
    receipt = trading.receipt_of(job.pk)
    if receipt is None:
        raise ReceiptNotIssued(f"The job is {job.state}.", state=job.state)
    return {
        "receipt_id": receipt.receipt_id, "job_id": receipt.job_id, "issued_at": receipt.issued_at,
        "receipt": receipt.receipt, "signature": receipt.signature, "tx_hash": receipt.tx_hash,
        "bundle_url": f"/trading/receipts/{receipt.receipt_id}/bundle",
    }  # fmt: skip


def payment_of(job: AIJob) -> JobPayment:
    """Return the payment as trading has it, or as ai expects it while trading has none."""
    payment = trading.payment_of(job.pk)
    found: JobPayment = {
        "job_id": job.pk, "payment_id": None, "status": job.payment_status, "amount": job.payment_amount,
        "currency": job.payment_currency, "paid": 0, "fee": 0, "refunded": 0, "created_at": None, "ended_at": None,
    }  # fmt: skip
    if payment is not None:
        found |= {
            "payment_id": payment.id, "status": payment.state, "amount": payment.amount, "paid": payment.paid,
            "fee": payment.fee, "refunded": payment.refunded, "created_at": payment.created_at,
            "ended_at": payment.ended_at,
        }  # fmt: skip
    return found


def explanation_of(job: AIJob) -> JobExplanation:
    """Return why the job waits, or that it does not."""
    since = job.queued_at or job.created_at
    until = job.started_at or job.completed_at or timezone.now()
    found: JobExplanation = {
        "job_id": job.pk, "state": job.state, "waited_seconds": max(0.0, round((until - since).total_seconds(), 3)),
        "summary": SUMMARIES.get(JobState(job.state), job.error or f"It is {job.state}."),
    }  # fmt: skip
    if job.state != JobState.QUEUED:
        return found
    explanation = gpu.explain(job.requirement, job.pk)
    found |= {
        "summary": _summary(explanation), "online_miners": explanation.online_miners,
        "fitting_miners": explanation.fitting_miners, "constraints": _in_ait(explanation.constraints),
        "position": explanation.position, "ahead": explanation.ahead,
        "estimate_seconds": explanation.estimate_seconds,
    }  # fmt: skip
    return found


def _in_ait(constraints: Sequence[gpu.ConstraintReport]) -> list[gpu.ConstraintReport]:
    """The constraints with their values as people read them."""
    return [{**one, "value": shown({one["name"]: one["value"]})[one["name"]]} for one in constraints]


def _summary(explanation: gpu.Explanation) -> str:
    if not explanation.online_miners:
        return "No miner is online."
    unmet = [one["name"] for one in explanation.constraints if not one["pass"]]
    if unmet:
        return f"No online miner passes: {', '.join(unmet)}."
    if not explanation.fitting_miners:
        return "Each constraint is passed by some online miner, all of them together by none."
    if explanation.ahead:
        return f"{explanation.ahead} jobs are ahead."
    return "It is next for the first miner that fits and is free."
