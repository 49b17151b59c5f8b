"""Invariants of claims of bad input (docs/jobs.md)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aitbc.core.db import cursor
from aitbc.core.invariants import invariant
from apps.ai.models import InputClaim

# `least` is the shortest of the claims of other owners than the one who is paid.
UNPROVEN = """SELECT j.id, j.billable_ms FROM ai_job j
LEFT JOIN ai_input_claim own ON (own.job_id, own.attempt, own.provider_id) = (j.id, j.attempt, j.provider_id)
LEFT JOIN LATERAL (
  SELECT min(metered_ms) AS least FROM ai_input_claim c WHERE c.job_id = j.id AND c.provider_id <> own.provider_id
) others ON true
WHERE j.outcome = 'bad_input' AND (own.id IS NULL OR own.verdict <> 'upheld' OR j.billable_ms > own.metered_ms
  OR (own.fault = '' AND j.billable_ms > coalesce(others.least, -1)))"""
OPEN_ENDS = """SELECT j.id, j.state, c.verdict FROM ai_input_claim c JOIN ai_job j ON j.id = c.job_id
WHERE (c.verdict = 'upheld') IS DISTINCT FROM (j.outcome = 'bad_input')
  OR (c.verdict = 'refuted') IS DISTINCT FROM (j.state IN ('succeeded', 'settled'))"""


def rows(statement: str) -> Iterator[tuple[Any, ...]]:
    with cursor(InputClaim) as sql:
        sql.execute(statement)
        yield from sql.fetchall()


@invariant("I18b", db="ai")
def bad_input_is_proven() -> Iterable[str]:
    """A job fails for bad input by a schema or claims of two owners, billed for the shorter; verdicts fit the end."""
    for job_id, billed in rows(UNPROVEN):
        yield f"job {job_id} is billed {billed} ms for bad input, which nobody has proven"
    for job_id, state, verdict in rows(OPEN_ENDS):
        yield f"job {job_id} is {state}, a claim that its input is bad {verdict}"
