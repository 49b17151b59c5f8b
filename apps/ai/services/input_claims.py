"""Miners' claims that an input is bad: one alone moves no money.

A claim is upheld by the exchange's own schema of the task type (logic/payload_schemas.py), or by a claim of a miner of
another owner; it is refuted by a result. Until then the attempt is a lost one, which costs the client nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from aitbc.core import blobs, params
from aitbc.core.messaging import emit
from apps.ai.events import InputJudged
from apps.ai.logic.payload_schemas import fault_of
from apps.ai.models import AIJob, InputClaim
from apps.gpu.events import LeaseFailed

CODE = "BAD_INPUT"
Verdict = InputClaim.Verdict


def record(claimed: Sequence[tuple[AIJob, LeaseFailed]]) -> dict[UUID, int]:
    """Record these claims; return the billable milliseconds of the jobs whose input is now known to be bad.

    That is the time of the shorter one of two claims that agree, or what this claim metered up to
    `jobs.invalid_input_s`, as a miner sees at once what a schema shows.
    """
    earlier = claims_of(job.pk for job, _ in claimed)
    due: dict[UUID, int] = {}
    for job, event in claimed:
        claim = _new_claim(job, event)
        agreeing = [one for one in earlier.get(job.pk, ()) if one.provider_id != claim.provider_id]
        if claim.fault:
            due[job.pk] = min(claim.metered_ms, params.get("jobs.invalid_input_s") * 1000)
        elif agreeing:
            due[job.pk] = min(one.metered_ms for one in [claim, *agreeing])
    _decide(due, Verdict.UPHELD)
    return due


def refute(jobs: Iterable[AIJob]) -> None:
    """Decide the open claims about these jobs, which a miner has just computed, against those who made them."""
    repeated = [job.pk for job in jobs if job.attempt > 1]  # a first attempt follows no claim
    _decide(repeated, Verdict.REFUTED)


def claims_of(job_ids: Iterable[UUID]) -> Mapping[UUID, Sequence[InputClaim]]:
    """Return the claims about these jobs so far, by job."""
    found: defaultdict[UUID, list[InputClaim]] = defaultdict(list)
    for claim in InputClaim.objects.filter(job_id__in=list(job_ids)).order_by("pk"):
        found[claim.job_id].append(claim)
    return found


def _new_claim(job: AIJob, event: LeaseFailed) -> InputClaim:
    payload, readable = _payload_of(job)
    fault = fault_of(job.task_type, payload, has_artifact=bool(job.artifacts)) if readable else ""
    return InputClaim.objects.create(
        job=job, attempt=event.attempt, miner_id=UUID(event.miner_id), provider_id=UUID(event.provider_id),
        metered_ms=min(max(0, event.metered_ms), job.execution_seconds * 1000), message=event.message[:1000],
        fault=fault[:300],
    )  # fmt: skip


def _payload_of(job: AIJob) -> tuple[Any, bool]:
    """The payload and whether it can be read: a large one is in the blob store."""
    if job.payload is not None:
        return job.payload, True
    try:
        return orjson.loads(blobs.read(job.payload_sha256)), True
    except blobs.BlobNotFound:
        return None, False


def _decide(job_ids: Iterable[UUID], verdict: Verdict) -> None:
    """Decide the open claims about these jobs alike, and say so to gpu, which judges the miners."""
    ids = list(job_ids)
    claims = list(InputClaim.objects.open().filter(job_id__in=ids).select_for_update()) if ids else []
    if not claims:
        return
    InputClaim.objects.filter(pk__in=[claim.pk for claim in claims]).update(verdict=verdict)
    attempts: defaultdict[UUID, list[int]] = defaultdict(list)
    for claim in claims:
        attempts[claim.job_id].append(claim.attempt)
    bad = verdict is Verdict.UPHELD
    emit(
        *(InputJudged(job_id=str(job), attempts=sorted(numbers), bad=bad) for job, numbers in attempts.items()),
        by="ai",
    )
