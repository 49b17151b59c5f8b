"""Facts of other domains, each one service call; a fact about a job that has moved on changes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from aitbc.core.messaging import subscribe
from apps.ai.services import attempts, job_endings, jobs, results
from apps.gpu.events import (
    JobProgressed,
    LeaseCompleted,
    LeaseExpired,
    LeaseFailed,
    LeaseGranted,
    LeaseReleased,
    WorkWithdrawn,
)
from apps.trading.events import PaymentHeld, PaymentRefunded, PaymentRefused, ReceiptIssued


@subscribe(PaymentHeld, by="ai")
def on_payments_held(events: Sequence[PaymentHeld]) -> None:
    jobs.queue(events)


@subscribe(PaymentRefused, by="ai")
def on_payments_refused(events: Sequence[PaymentRefused]) -> None:
    jobs.refuse(events)


@subscribe(LeaseGranted, by="ai")
def on_leases_granted(events: Sequence[LeaseGranted]) -> None:
    attempts.start(events)


@subscribe(LeaseReleased, by="ai")
def on_leases_released(events: Sequence[LeaseReleased]) -> None:
    attempts.return_to_queue(events)


@subscribe(JobProgressed, by="ai")
def on_jobs_progressed(events: Sequence[JobProgressed]) -> None:
    attempts.record_progress(events)


@subscribe(LeaseFailed, by="ai")
def on_leases_failed(events: Sequence[LeaseFailed]) -> None:
    attempts.retry_or_end(events)


@subscribe(LeaseExpired, by="ai")
def on_leases_expired(events: Sequence[LeaseExpired]) -> None:
    attempts.retry_or_end(events)


@subscribe(WorkWithdrawn, by="ai")
def on_work_withdrawn(events: Sequence[WorkWithdrawn]) -> None:
    job_endings.conclude(events)


@subscribe(LeaseCompleted, by="ai")
def on_leases_completed(events: Sequence[LeaseCompleted]) -> None:
    results.accept(events)


@subscribe(ReceiptIssued, by="ai")
def on_receipts_issued(events: Sequence[ReceiptIssued]) -> None:
    results.settle(events)


@subscribe(PaymentRefunded, by="ai")
def on_payments_refunded(events: Sequence[PaymentRefunded]) -> None:
    results.record_refunds(events)
