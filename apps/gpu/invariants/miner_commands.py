"""Invariant of commands: power limits stay within the driver's range (U3)."""

from __future__ import annotations

from collections.abc import Iterable

from aitbc.core.invariants import invariant
from apps.gpu.invariants.queries import rows

NUMBER = "'^-?[0-9]{1,20}([.][0-9]+)?$'"  # what is none is outside
OUTSIDE = f"""SELECT o.id, o.body->'settings'->>'power_limit_w'
FROM gpu_minercommand o JOIN gpu_gpuregistry g ON g.id = o.gpu_id
WHERE o.kind = 'apply' AND o.state = 'open' AND g.details ? 'power'
AND o.body->'settings'->>'power_limit_w' IS NOT NULL AND NOT coalesce(CASE
  WHEN o.body->'settings'->>'power_limit_w' ~ {NUMBER}
    AND coalesce(g.details->'power'->>'min_w', '0') ~ {NUMBER}
    AND coalesce(g.details->'power'->>'max_w', '0') ~ {NUMBER}
  THEN (o.body->'settings'->>'power_limit_w')::float8
    BETWEEN coalesce((g.details->'power'->>'min_w')::float8, 0)
    AND coalesce((g.details->'power'->>'max_w')::float8, 'infinity') END, false)"""


@invariant("U3", db="gpu")
def commands_stay_within_limits() -> Iterable[str]:
    """No command sets a power limit outside the range that the card's driver reports."""
    return [f"command {command} sets {watts} W, outside the card's limits" for command, watts in rows(OUTSIDE)]
