"""Invariants of what jobs cost per hour (docs/jobs.md)."""

from __future__ import annotations

from collections.abc import Iterable

from aitbc.core.db import cursor
from aitbc.core.invariants import invariant
from apps.ai.models import AIJob

# An unpaid job has a rate, but costs nothing: in a booking it may be above a ceiling of the client's.
COSTS = """SELECT id, rate, max_price, billable_ms, paid::numeric + fee FROM ai_job WHERE payment_amount > 0 AND (
  rate > max_price OR (paid::numeric + fee) > div(rate::numeric * billable_ms, 3600000)
  OR (max_price IS NULL) IS DISTINCT FROM (max_price_source = '')
  OR max_price::text IS DISTINCT FROM requirement ->> 'max_price')"""


@invariant("I17d", db="ai")
def jobs_cost_what_was_agreed() -> Iterable[str]:
    """A paid job's rate is within its ceiling; it costs at most its rate for the billed time, rounded down."""
    with cursor(AIJob) as sql:
        sql.execute(COSTS)
        for job_id, rate, ceiling, billed, cost in sql.fetchall():
            yield f"job {job_id} at {rate} an hour, of at most {ceiling}, cost {cost} for {billed} ms"
