"""Jobs from submission to the queue, and their cancellation by the owner."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypedDict, Unpack
from uuid import UUID

import orjson
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from aitbc.core import blobs
from aitbc.core.db import atomic
from aitbc.core.messaging import emit
from aitbc.core.money import format_amount
from aitbc.core.states import Transition, begin
from apps.ai.errors import CannotPay, InputUnusable, PayloadTooLarge
from apps.ai.logic.outcomes import Outcome
from apps.ai.logic.requirements import Requirement
from apps.ai.models import AIJob, Artifact
from apps.ai.services import artifacts, event_builders
from apps.ai.services.bookings import within_booking
from apps.ai.services.durations import expected_seconds
from apps.ai.services.job_endings import Ending, stop
from apps.ai.services.job_transitions import advance_each
from apps.ai.services.price_ceilings import set_ceiling
from apps.ai.states import JobState, PaymentStatus
from apps.trading.events import PaymentHeld, PaymentRefused
from apps.trading.interface import available

INLINE_LIMIT = 64 << 10
PAYLOAD_LIMIT = 1 << 20
PAYMENT_ACTOR = "trading"


class JobTerms(TypedDict):
    """The columns of a job that its client chooses."""

    task_type: str
    model: str
    constraints: dict[str, Any]  # as the client wrote them
    requirement: Requirement
    priority: int
    payment_amount: int  # micro-AIT
    payment_currency: str
    max_attempts: int
    ttl_seconds: int
    queue_seconds: int
    start_seconds: int
    heartbeat_seconds: int
    execution_seconds: int


def submit(
    *, owner_id: UUID, actor: str, payload: Any, input_sha256: str | None = None, **terms: Unpack[JobTerms]
) -> AIJob:
    """Accept a job and return it: an unpaid one is queued at once, a paid one waits until its payment is held.

    Large payloads are stored and synced before any row names them. Raises PayloadTooLarge, ArtifactQuotaExceeded,
    InputUnusable, BookingUnusable, and CannotPay from a read of the balance; trading decides with PaymentHeld or
    PaymentRefused.
    """
    _check_funds(owner_id, terms["payment_amount"])
    terms["requirement"] = within_booking(owner_id, terms["requirement"], paid=bool(terms["payment_amount"]))
    job = _build(owner_id=owner_id, terms=terms)
    set_ceiling(job)
    stored = _store_input(job, payload, input_sha256)
    with atomic(AIJob):
        if stored:
            artifacts.claim(owner_id=owner_id, stored=stored, media_type="application/json")
        elif job.input_is_blob:
            artifacts.use_as_input(owner_id=owner_id, sha256=job.input_sha256)
        begin(job, actor=actor, detail={"payment_amount": format_amount(job.payment_amount)})
        emit(
            event_builders.submitted(job) if job.is_paid else event_builders.queued(job, cost=expected_seconds(job)),
            by="ai",
        )
    return job


def queue(events: Sequence[PaymentHeld]) -> None:
    """Queue the jobs whose payment is held; for one that ended meanwhile only the payment is recorded."""
    by_id = {event.job_id: event for event in events}
    jobs = AIJob.objects.locked(by_id)
    waiting = [job for job in jobs if job.state == JobState.SUBMITTED]
    _queue(waiting, by_id)
    for job in jobs:
        if job.payment_status == PaymentStatus.PENDING:
            AIJob.objects.filter(pk=job.pk).update(**_held_payment(by_id[str(job.pk)]))


def refuse(events: Sequence[PaymentRefused]) -> None:
    """Refuse the jobs that cannot be paid for; for one that ended meanwhile only the refusal is recorded."""
    by_id = {event.job_id: event for event in events}
    jobs = AIJob.objects.locked(by_id)
    submitted = [job for job in jobs if job.state == JobState.SUBMITTED]
    if submitted:
        advance_each([_refusal(job, by_id[str(job.pk)]) for job in submitted])
        artifacts.release_inputs(submitted)
    ended = [job.pk for job in jobs if job.payment_status == PaymentStatus.PENDING]
    AIJob.objects.filter(pk__in=ended).update(payment_status=PaymentStatus.REFUSED)


def cancel(*, job: AIJob, actor: str, reason: str = "cancelled by its owner") -> AIJob:
    """Cancel a job and return it: cancelled at once before gpu knows of it, else cancelling until gpu has answered.

    What its miner has computed until then is due (logic/refunds.py), and a result that was accepted before wins. A
    second cancel changes nothing. Raises StateConflict when the job has ended otherwise.
    """
    with atomic(AIJob):
        (job,) = AIJob.objects.locked([job.pk])
        if job.state in (JobState.CANCELLING, JobState.CANCELLED):
            return job
        if not {JobState.CANCELLING, JobState.CANCELLED} & set(AIJob.TRANSITIONS[job.state]):
            raise job.conflict(JobState.CANCELLED)
        outcome = Outcome.CANCELLED_BEFORE_START
        stop([Ending(job=job, to=JobState.CANCELLED, outcome=outcome, reason=reason, actor=actor)])
    return job


def queue_deadline(job: AIJob, since: datetime) -> datetime:
    """Return when waiting that began at `since` ends: after queue_seconds, but not after the job's total time."""
    return min(since + timedelta(seconds=job.queue_seconds), job.expires_at)


def _check_funds(owner_id: UUID, amount: int) -> None:
    if not amount:
        return
    try:
        balance = available(owner_id)
    except (OperationalError, InterfaceError):
        return  # trading is down: the job waits until it decides
    if balance < amount:
        raise CannotPay(
            f"{format_amount(amount)} AIT are needed, {format_amount(balance)} are available.",
            needed=format_amount(amount), available=format_amount(balance),
        )  # fmt: skip


def _build(*, owner_id: UUID, terms: JobTerms) -> AIJob:
    now = timezone.now()
    expires_at = now + timedelta(seconds=terms["ttl_seconds"])
    job = AIJob(owner_id=owner_id, created_at=now, expires_at=expires_at, due_at=expires_at, **terms)
    if job.is_paid:
        job.payment_status = PaymentStatus.PENDING
    else:
        job.state, job.queued_at, job.due_at = JobState.QUEUED, now, queue_deadline(job, now)
    return job


def written(payload: Any) -> bytes:
    """Return the bytes of a payload whose SHA-256 names it, and which are stored when it is large."""
    return orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)


def _store_input(job: AIJob, payload: Any, input_sha256: str | None) -> blobs.Stored | None:
    """Set the input columns: inline up to INLINE_LIMIT, else a new blob, which is returned, or an uploaded artifact."""
    body = written(payload)
    if len(body) > PAYLOAD_LIMIT:
        raise PayloadTooLarge(limit=PAYLOAD_LIMIT)
    job.payload_sha256 = hashlib.sha256(body).hexdigest()
    if input_sha256:
        _use_artifact(job, payload, input_sha256, len(body))
        return None
    job.input_sha256, job.input_size = job.payload_sha256, len(body)
    job.input_is_blob = len(body) > INLINE_LIMIT
    job.payload = None if job.input_is_blob else payload
    if not job.input_is_blob:
        return None
    return blobs.put([body], limit=PAYLOAD_LIMIT, admit=partial(artifacts.require_room, job.owner_id))


def _use_artifact(job: AIJob, payload: Any, sha256: str, size: int) -> None:
    if size > INLINE_LIMIT:
        raise InputUnusable(f"Beside an artifact the payload is at most {INLINE_LIMIT} bytes.")
    artifact = Artifact.objects.owned_by(job.owner_id).filter(sha256=sha256).first()
    if artifact is None:
        raise InputUnusable("input_sha256 names no artifact of yours; upload it first.")
    job.input_sha256, job.input_size, job.input_is_blob, job.payload = sha256, artifact.size, True, payload


def _queue(jobs: Sequence[AIJob], by_id: Mapping[str, PaymentHeld]) -> None:
    if not jobs:
        return
    now = timezone.now()
    advance_each([
        Transition(
            subject=job, to=JobState.QUEUED, actor=PAYMENT_ACTOR, reason="the payment is held",
            fields={"queued_at": now, "due_at": queue_deadline(job, now), **_held_payment(by_id[str(job.pk)])},
        )
        for job in jobs
    ])  # fmt: skip
    emit(*(event_builders.queued(job, cost=expected_seconds(job)) for job in jobs), by="ai")


def _held_payment(event: PaymentHeld) -> dict[str, Any]:
    return {"payment_status": PaymentStatus.HELD, "payment_id": UUID(event.payment_id)}


def _refusal(job: AIJob, event: PaymentRefused) -> Transition:
    reason = f"{format_amount(event.needed)} AIT are needed, {format_amount(event.available)} are available."
    fields = {
        "outcome": str(Outcome.INSUFFICIENT_FUNDS), "error": reason, "completed_at": timezone.now(), "due_at": None,
    }  # fmt: skip
    return Transition(subject=job, to=JobState.REFUSED, actor=PAYMENT_ACTOR, reason=reason, fields=fields)
