"""Until when a miner's work counts: it is paid to its last heartbeat once it has missed one.

A miner that still sends its heartbeats is paid to the present moment. A back-end sends none: the exchange drives it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aitbc.core import params
from aitbc.core.db import cursor
from apps.gpu.models import Miner

LATENESS_SECONDS = 5  # how late a heartbeat may be before it counts as missed

# For a lease `l` that ends at the time {at}, the milliseconds that count: up to the last heartbeat of a miner that has
# missed one since, and never past the lease's own end.
METERED_MS = """floor(extract(epoch FROM greatest(l.granted_at, least({at}, l.lease_until, (
  SELECT CASE WHEN m.last_heartbeat >= {at} - %(silence)s::int * interval '1 second'
    OR EXISTS (SELECT FROM gpu_backend b WHERE b.miner_id = m.id) THEN {at} ELSE m.last_heartbeat END
  FROM gpu_miner m WHERE m.id = l.miner_id))) - l.granted_at) * 1000)"""
HEARD = """SELECT id, at, at < clock_timestamp() - %(silence)s::int * interval '1 second' FROM (
  SELECT m.id, CASE WHEN EXISTS (SELECT FROM gpu_backend b WHERE b.miner_id = m.id)
    THEN clock_timestamp() ELSE m.last_heartbeat END AS at
  FROM gpu_miner m WHERE m.id = ANY (%(miners)s::uuid[])) heard"""


@dataclass(frozen=True, slots=True)
class Heard:
    """When a miner was last heard, and whether it has missed a heartbeat since."""

    at: datetime
    silent: bool


def silence_seconds() -> int:
    """Return for how long a miner may be quiet before it counts as silent."""
    return params.get("miner.heartbeat_s") + LATENESS_SECONDS


def heard(miner_ids: Iterable[UUID]) -> dict[UUID, Heard]:
    """Return when each of these miners was last heard; unknown ones are left out."""
    with cursor(Miner) as sql:
        sql.execute(HEARD, {"miners": list(miner_ids), "silence": silence_seconds()})
        return {pk: Heard(at, silent) for pk, at, silent in sql.fetchall()}
