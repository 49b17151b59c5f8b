"""Invariant of commands: power limits stay within the driver's range (U3)."""

from __future__ import annotations

from collections.abc import Iterable

from aitbc.core.invariants import invariant
from apps.gpu.invariants.queries import rows

OUTSIDE = """SELECT o.id, o.body->'settings'->>'power_limit_w'
FROM gpu_minercommand o JOIN gpu_gpuregistry g ON g.id = o.gpu_id
WHERE o.kind = 'apply' AND o.state = 'open' AND g.details ? 'power'
AND NOT (o.body->'settings'->>'power_limit_w')::float8
  BETWEEN coalesce((g.details->'power'->>'min_w')::float8, 0)
  AND coalesce((g.details->'power'->>'max_w')::float8, 'infinity')"""


@invariant("U3", db="gpu")
def commands_stay_within_limits() -> Iterable[str]:
    """No command sets a power limit outside the range that the card's driver reports."""
    return [f"command {command} sets {watts} W, outside the card's limits" for command, watts in rows(OUTSIDE)]
