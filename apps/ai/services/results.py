"""Results of jobs: accepted once, stored as delivered, then paid for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.utils import timezone

from aitbc.core import blobs, params
from aitbc.core.messaging import emit
from aitbc.core.states import Transition
from apps.ai.logic.amounts import in_ait
from apps.ai.models import AIJob, AIJobResult
from apps.ai.services import artifacts, event_builders, input_claims
from apps.ai.services.job_transitions import advance_each, notify
from apps.ai.states import JobState, PaymentStatus
from apps.gpu.events import LeaseCompleted
from apps.trading.events import PaymentRefunded, ReceiptIssued


def accept(events: Sequence[LeaseCompleted]) -> None:
    """Store the results of running jobs and report them to trading; a result of another attempt is ignored.

    It wins over a cancel, a deletion and a deadline that gpu had not heard of when it accepted the result.
    """
    by_id = {event.job_id: event for event in events}
    jobs = AIJob.objects.locked(by_id)
    delivered = [(job, by_id[str(job.pk)]) for job in jobs if _is_current_attempt(job, by_id[str(job.pk)])]
    if not delivered:
        return
    results = [(job, _result(job, event)) for job, event in delivered]
    AIJobResult.objects.bulk_create(result for _, result in results)
    artifacts.claim_results(results)
    advance_each([_success(job, result) for job, result in results])
    input_claims.refute(job for job, _ in results)
    artifacts.release_inputs([job for job, _ in results])
    emit(*(event_builders.completed(job, result) for job, result in results), by="ai")


def settle(events: Sequence[ReceiptIssued]) -> None:
    """Settle the jobs that are paid for; of the receipt ai stores the id alone."""
    by_id = {event.job_id: event for event in events}
    jobs = [job for job in AIJob.objects.locked(by_id) if job.state == JobState.SUCCEEDED]
    if jobs:
        advance_each([_settlement(job, by_id[str(job.pk)]) for job in jobs])


def record_refunds(events: Sequence[PaymentRefunded]) -> None:
    """Record how the payments of jobs that ended without a result were divided."""
    by_id = {event.job_id: event for event in events}
    jobs = AIJob.objects.locked(by_id)
    for job in jobs:
        event = by_id[str(job.pk)]
        job.payment_status, job.payment_id = PaymentStatus.REFUNDED, UUID(event.payment_id)
        job.refunded, job.paid, job.fee = event.refunded, event.paid, event.fee
    AIJob.objects.bulk_update(jobs, ["payment_status", "refunded", "paid", "fee", "payment_id"])
    notify(job.pk for job in jobs)


def remove_old(*, limit: int = 1000) -> int:
    """Remove large results of jobs that ended longer ago than jobs.result_retention_s; returns how many.

    Their rows stay. Their files are collected as those of any artifact that nothing uses.
    """
    now = timezone.now()
    before = now - timedelta(seconds=params.get("jobs.result_retention_s"))
    old = AIJobResult.objects.kept().filter(created_at__lt=before).order_by("created_at", "pk")
    ids = list(old.values_list("pk", flat=True)[:limit])
    return AIJobResult.objects.kept().filter(pk__in=ids).update(
        removed_at=now, removed_by=AIJobResult.RemovedBy.RETENTION
    )  # fmt: skip


def _is_current_attempt(job: AIJob, event: LeaseCompleted) -> bool:
    return job.state in (JobState.RUNNING, JobState.CANCELLING) and job.attempt == event.attempt


def _result(job: AIJob, event: LeaseCompleted) -> AIJobResult:
    return AIJobResult(
        job=job, attempt=event.attempt, miner_id=UUID(event.miner_id), provider_id=UUID(event.provider_id),
        task_type=job.task_type, result=event.result,
        is_blob=event.result is None and blobs.exists(event.result_sha256),
        sha256=event.result_sha256, size=event.result_size, metrics=event.metrics, rate=event.rate,
        metered_ms=max(0, event.metered_ms), started_at=datetime.fromisoformat(event.started_at),
        ended_at=datetime.fromisoformat(event.ended_at),
    )  # fmt: skip


def _success(job: AIJob, result: AIJobResult) -> Transition:
    return Transition(
        subject=job, to=JobState.SUCCEEDED, actor=f"miner:{result.miner_id}", reason=f"attempt {result.attempt}",
        detail={"attempt": result.attempt, "metered_ms": result.metered_ms, "result_sha256": result.sha256},
        fields={
            "completed_at": result.created_at, "due_at": None, "progress": 1.0, "billable_ms": result.metered_ms,
            "outcome": "", "error": "",
        },
    )  # fmt: skip


def _settlement(job: AIJob, event: ReceiptIssued) -> Transition:
    status = PaymentStatus.SETTLED if job.is_paid else PaymentStatus.NONE
    return Transition(
        subject=job, to=JobState.SETTLED, actor="trading", reason="the receipt is issued",
        detail={
            "receipt_id": event.receipt_id, **in_ait(paid=event.paid, fee=event.fee, refunded=event.refunded),
        },
        fields={
            "receipt_id": event.receipt_id, "payment_status": str(status), "paid": event.paid, "fee": event.fee,
            "refunded": event.refunded,
        },
    )  # fmt: skip
