"""Invariants of jobs, listed in docs/jobs.md: each yields its violations, and nothing when it holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

import orjson
from django.db.models import CharField, Func, Q

from aitbc.core import blobs, canonical, params
from aitbc.core.db import cursor
from aitbc.core.invariants import each_chunk, invariant
from apps.ai.models import AIJob, AIJobResult, IdempotencyRecord
from apps.ai.services.jobs import written
from apps.ai.states import FINAL, JOB_TRANSITIONS, WAITING_FOR_A_DEADLINE, WITH_RESULT, JobState
from apps.trading.interface import payments_of, receipt_owners

INITIAL_STATES = [JobState.SUBMITTED, JobState.QUEUED]  # unpaid jobs begin queued
LATE_SECONDS = 60  # for the sweep
PRINTED = "encode(sha256(convert_to(%(expressions)s::text, 'UTF8')), 'hex')"


def _rows(statement: str, **values: Any) -> Iterator[tuple[Any, ...]]:
    with cursor(AIJob) as sql:
        sql.execute(statement, values)
        yield from sql.fetchall()


@invariant("I1", db="ai")
def every_accepted_job_exists() -> Iterable[str]:
    """Every job whose POST was answered 201 exists and has its input, a large one until it has ended."""
    yield from each_chunk(IdempotencyRecord.objects.filter(status=201), broken_promises)
    for (job_id,) in _rows("SELECT id FROM ai_job WHERE payload IS NULL AND NOT input_is_blob"):
        yield f"job {job_id} has no input"
    yield from each_chunk(AIJob.objects.needing_input().only("input_sha256"), without_their_input)


def without_their_input(found: list[AIJob]) -> Iterator[str]:
    for job in found:
        if not blobs.exists(job.input_sha256):
            yield f"job {job.pk}: its input {job.input_sha256} is not in the store"


@invariant("I1c", db="ai")
def inputs_are_what_was_submitted() -> Iterable[str]:
    """Every payload in a job's row, and every large input of an unfinished job, still hashes to its name."""
    shown = AIJob.objects.only("payload", "payload_sha256", "input_sha256", "input_is_blob", "input_size")
    yield from each_chunk(shown.exclude(payload=None), unlike_their_names)
    yield from each_chunk(AIJob.objects.needing_input().only("input_sha256"), with_damaged_input)


def unlike_their_names(found: list[AIJob]) -> Iterator[str]:
    for job in found:
        body = written(job.payload)
        if hashlib.sha256(body).hexdigest() != job.payload_sha256 and not named_when_printed(job):
            yield f"job {job.pk}: its payload is not the one that was submitted, {job.payload_sha256}"
        elif not job.input_is_blob and (job.input_sha256, job.input_size) != (job.payload_sha256, len(body)):
            yield f"job {job.pk}: its input has another name or size than its payload"


def named_when_printed(job: AIJob) -> bool:
    """Whether the name is that of a job from before migration 0004: of the payload as PostgreSQL prints it."""
    printed = Func("payload", template=PRINTED, output_field=CharField())
    return job.input_is_blob and AIJob.objects.filter(pk=job.pk, payload_sha256=printed).exists()


def with_damaged_input(found: list[AIJob]) -> Iterator[str]:
    for job in found:
        if blobs.exists(job.input_sha256) and not blobs.intact(job.input_sha256):
            yield f"job {job.pk}: its input {job.input_sha256} is damaged"


@invariant("I1b", db="ai")
def files_in_use_are_claimed() -> Iterable[str]:
    """Every large input of an unfinished job and every large result that is kept is an artifact of its owner."""
    for what, job_id, sha256 in _rows(
        """SELECT u.what, u.id, u.sha256 FROM (
          SELECT 'input' AS what, id, owner_id, input_sha256 AS sha256 FROM ai_job
            WHERE input_is_blob AND state = ANY(%(unfinished)s)
          UNION ALL
          SELECT 'result', j.id, j.owner_id, r.sha256 FROM ai_job_result r JOIN ai_job j ON j.id = r.job_id
            WHERE r.is_blob AND r.removed_at IS NULL) u
        WHERE NOT EXISTS (SELECT FROM ai_artifact a WHERE a.owner_id = u.owner_id AND a.sha256 = u.sha256)""",
        unfinished=list(map(str, WAITING_FOR_A_DEADLINE)),
    ):
        yield f"job {job_id}: its {what} {sha256} is no artifact of its owner"


@invariant("I2", db="ai")
def every_job_ends_once_and_in_time() -> Iterable[str]:
    """No job ends twice, leaves a final state, or is unfinished long after its total time."""
    for job_id, count in _rows(
        "SELECT subject_id, count(*) FROM ai_job_event WHERE to_state = ANY(%(final)s) GROUP BY 1 HAVING count(*) > 1",
        final=list(map(str, FINAL)),
    ):
        yield f"job {job_id} ended {count} times"
    for (job_id,) in _rows(
        "SELECT subject_id FROM ai_job_event WHERE from_state = ANY(%(final)s)", final=list(map(str, FINAL))
    ):
        yield f"job {job_id} left a final state"
    for job_id, state in _rows(
        """SELECT id, state FROM ai_job WHERE state IN ('submitted', 'queued', 'running', 'cancelling')
        AND expires_at < now() - make_interval(secs => %(late)s)""",
        late=LATE_SECONDS + params.get("jobs.cancel_deadline_s"),
    ):
        yield f"job {job_id} is still {state} after its total time"


@invariant("I3", db="ai")
def history_explains_every_state() -> Iterable[str]:
    """Every transition is in the table, the last one leads to the present state, and none is missing."""
    allowed = [f"{start}>{end}" for start, ends in JOB_TRANSITIONS.items() for end in ends]
    allowed += [f">{state}" for state in INITIAL_STATES]
    for job_id, start, end in _rows(
        """SELECT subject_id, from_state, to_state FROM ai_job_event
        WHERE NOT from_state || '>' || to_state = ANY(%(allowed)s) OR (seq = 0) <> (from_state = '')""",
        allowed=allowed,
    ):
        yield f"job {job_id} went {start or '∅'} → {end}, which is not allowed"
    for job_id, state, last, version, count in _rows(
        """SELECT j.id, j.state, e.last, j.version, e.count FROM ai_job j LEFT JOIN (
          SELECT subject_id, count(*) AS count, max(seq) AS top, (array_agg(to_state ORDER BY seq DESC))[1] AS last
          FROM ai_job_event GROUP BY 1) e ON e.subject_id = j.id
        WHERE e.last IS DISTINCT FROM j.state OR e.top IS DISTINCT FROM j.version OR e.count - 1 <> e.top"""
    ):
        yield f"job {job_id} is {state} (version {version}), its history of {count or 0} transitions says {last}"
    for job_id, seq in _rows(
        """SELECT subject_id, seq FROM (SELECT subject_id, seq, from_state,
          lag(to_state) OVER (PARTITION BY subject_id ORDER BY seq) AS previous FROM ai_job_event) e
        WHERE seq > 0 AND previous IS DISTINCT FROM from_state"""
    ):
        yield f"job {job_id}: transition {seq} does not start where the previous one ended"


@invariant("I6", db="ai")
def results_are_readable() -> Iterable[str]:
    """Every accepted result is stored and still hashes to its name; a large one until it is removed."""
    yield from each_chunk(AIJobResult.objects.kept(), damaged)
    yield from each_chunk(AIJobResult.objects.filter(is_blob=False), exchanged)


def damaged(large: list[AIJobResult]) -> Iterator[str]:
    for one in large:
        if not blobs.intact(one.sha256):
            yield f"job {one.job_id}: its result {one.sha256} is missing or damaged"


def exchanged(small: list[AIJobResult]) -> Iterator[str]:
    for one in small:
        if canonical.digest(one.result) != one.sha256:
            yield f"job {one.job_id}: its result is not the one that was accepted, {one.sha256}"


@invariant("I7", db="ai")
def one_result_per_success() -> Iterable[str]:
    """Exactly the succeeded and settled jobs have a result, and it is from their last attempt and its miner."""
    for job_id, state, attempt, delivered in _rows(
        """SELECT coalesce(j.id, r.job_id), j.state, j.attempt, r.attempt
        FROM ai_job j FULL JOIN ai_job_result r ON r.job_id = j.id
        WHERE (j.state = ANY(%(with_result)s)) IS DISTINCT FROM (r.job_id IS NOT NULL)
          OR (r.job_id IS NOT NULL AND (r.attempt, r.miner_id) IS DISTINCT FROM (j.attempt, j.miner_id))""",
        with_result=list(map(str, WITH_RESULT)),
    ):
        yield f"job {job_id} is {state} in attempt {attempt}, its result is of attempt {delivered}"


@invariant("I17c", db="ai", quiescent=True)
def jobs_and_payments_agree() -> Iterable[str]:
    """A job that is over names its owner, payment, receipt and the division of all that was held as trading does."""
    over = AIJob.objects.filter(state__in=FINAL, payment_amount__gt=0).exclude(state=JobState.REFUSED)
    yield from each_chunk(over.only("owner_id", "payment_id", "paid", "fee", "refunded"), unlike_their_payments)
    settled = AIJob.objects.filter(Q(state=JobState.SETTLED) | Q(receipt_id__isnull=False))
    yield from each_chunk(settled.only("owner_id", "receipt_id"), unlike_their_receipts)


def unlike_their_payments(jobs: list[AIJob]) -> Iterator[str]:
    payments = {one.job_id: one for one in payments_of(job.pk for job in jobs)}
    for job in jobs:
        parts, payment = [job.paid, job.fee, job.refunded], payments.get(job.pk)
        held = [payment.paid, payment.fee, payment.refunded] if payment else None
        if payment is None or parts != held or sum(parts) != payment.amount:
            yield f"job {job.pk} says paid, fee, refunded {parts}; its payment says {held}"
        elif (job.payment_id, job.owner_id) != (payment.id, payment.owner_id):
            its_own = f"{payment.id} of {payment.owner_id}"
            yield f"job {job.pk} of {job.owner_id} names payment {job.payment_id}; its own is {its_own}"


def unlike_their_receipts(jobs: list[AIJob]) -> Iterator[str]:
    receipts = receipt_owners(job.pk for job in jobs)
    for job in jobs:
        receipt_id, owner_id = receipts.get(job.pk, (None, None))
        if receipt_id is None or (job.receipt_id, job.owner_id) != (str(receipt_id), owner_id):
            its_own = f"{receipt_id} of {owner_id}"
            yield f"job {job.pk} of {job.owner_id} names receipt {job.receipt_id}; its own is {its_own}"


@invariant("I11", db="ai")
def one_key_one_job() -> Iterable[str]:
    """Each Idempotency-Key created one job of its own, which belongs to the owner who sent the key."""
    yield from each_chunk(IdempotencyRecord.objects.filter(status=201), promised_to_others)
    for job_id, keys in _rows(
        """SELECT (body::jsonb ->> 'job_id')::uuid AS job_id, count(*) FROM ai_idempotencyrecord
        WHERE status = 201 AND body::jsonb ? 'job_id' GROUP BY 1 HAVING count(*) > 1"""
    ):
        yield f"job {job_id} was the answer to {keys} keys"


def promised_to_others(records: list[IdempotencyRecord]) -> Iterator[str]:
    for record, job_id, owner_id in promises(records):
        if owner_id not in (None, record.owner_id):
            yield f"job {job_id} was the answer to key {record.key} of somebody else"


def broken_promises(records: list[IdempotencyRecord]) -> Iterator[str]:
    for record, job_id, owner_id in promises(records):
        if owner_id is None:
            yield f"job {job_id} was promised for key {record.key} and does not exist"


def promises(records: list[IdempotencyRecord]) -> list[tuple[IdempotencyRecord, UUID, UUID | None]]:
    """Return the answers that name a job, with its id and its owner's; None: it does not exist."""
    answers = [(record, orjson.loads(record.body).get("job_id")) for record in records]
    named = [(record, UUID(job_id)) for record, job_id in answers if job_id is not None]
    owners = dict(AIJob.objects.filter(pk__in=[job_id for _, job_id in named]).values_list("pk", "owner_id"))
    return [(record, job_id, owners.get(job_id)) for record, job_id in named]


@invariant("I9", db="ai")
def attempts_are_bounded() -> Iterable[str]:
    """No job has more attempts than allowed, and exactly the dead ones have a dead letter."""
    for job_id, attempt, most in _rows("SELECT id, attempt, max_attempts FROM ai_job WHERE attempt > max_attempts"):
        yield f"job {job_id} was tried {attempt} times, {most} are allowed"
    for job_id, state in _rows(
        """SELECT coalesce(j.id, d.job_id), j.state FROM ai_job j FULL JOIN ai_dead_letter d ON d.job_id = j.id
        WHERE (j.state = 'dead') IS DISTINCT FROM (d.job_id IS NOT NULL)"""
    ):
        yield f"job {job_id} is {state}: dead jobs and dead letters do not match"
