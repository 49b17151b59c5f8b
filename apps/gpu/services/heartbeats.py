"""Heartbeats: one SQL statement each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aitbc.core import jsonb
from aitbc.core.db import cursor
from apps.gpu.logic.telemetry import METRICS, gpu_metrics
from apps.gpu.models import Miner
from apps.gpu.services import exchange_downtime, leases, reservations
from apps.gpu.services.miner_cache import MINER_CACHE, Known
from apps.gpu.services.miners import Caller, recognise
from apps.gpu.states import MinerState

# One statement per heartbeat: the miner's liveness, its leases extended (those it names, if it names any), its open
# commands; and, once a minute, the minute's bit in its hour and the metrics of its GPUs.
BEAT = """WITH previous AS MATERIALIZED (
  SELECT id, noted_at, date_trunc('minute', clock_timestamp()) AS minute FROM gpu_miner
  WHERE id = %(miner)s::uuid FOR NO KEY UPDATE
), beat AS (
  UPDATE gpu_miner m SET last_heartbeat = clock_timestamp(), metrics = coalesce(%(metrics)s::jsonb, metrics),
    noted_at = previous.minute
  FROM previous WHERE m.id = previous.id
  RETURNING m.id, m.state, m.region, m.attention, m.booked, previous.minute,
    previous.noted_at IS DISTINCT FROM previous.minute AS fresh
), marked AS (
  INSERT INTO gpu_minerhour AS h (miner_id, hour, minutes)
  SELECT id, date_trunc('hour', minute), 1::bigint << extract(minute FROM minute)::int FROM beat WHERE fresh
  ON CONFLICT (hour, miner_id) DO UPDATE SET minutes = h.minutes | excluded.minutes
), measured AS MATERIALIZED (
  SELECT g.id AS gpu_id, beat.region, f.* FROM beat CROSS JOIN LATERAL jsonb_to_recordset(%(cards)s::jsonb) AS f(
    uuid text, place int, network_latency_ms float8, compute_latency_ms float8, total_latency_ms float8,
    gpu_utilization_percent float8, memory_utilization_percent float8, memory_used_mb float8, power_draw_w float8,
    temperature_celsius float8, fan_percent float8, graphics_clock_mhz float8, memory_clock_mhz float8,
    thermal_throttling_active bool, power_limit_active bool)
  JOIN gpu_gpuregistry g ON g.miner_id = beat.id AND g.state <> 'retired'
    AND CASE WHEN f.uuid <> '' THEN g.uuid = f.uuid ELSE g.position = f.place END
  WHERE beat.fresh
), stored AS (
  INSERT INTO gpu_edgegpumetrics (gpu_id, region, {columns}) SELECT gpu_id, region, {columns} FROM measured
), latest AS (
  UPDATE gpu_gpuregistry g SET seen_at = clock_timestamp(),
    latest = jsonb_strip_nulls(to_jsonb(f) - 'gpu_id' - 'uuid' - 'place' - 'region')
  FROM measured f WHERE g.id = f.gpu_id
), waiting AS (
  SELECT coalesce(jsonb_agg(jsonb_build_object('order_id', id, 'kind', kind, 'gpu_id', gpu_id, 'body', body,
    'signature', signature, 'due_at', due_at) ORDER BY created_at, id), '[]'::jsonb) AS commands
  FROM gpu_minercommand WHERE miner_id = %(miner)s::uuid AND state = 'open'
), alive AS (
  UPDATE gpu_lease SET started_at = coalesce(started_at, clock_timestamp()), suspect_at = NULL,
    lease_until = CASE WHEN cancel_at IS NULL
      THEN greatest(lease_until, least(execute_by, clock_timestamp() + heartbeat_seconds * interval '1 second'))
      ELSE lease_until END
  WHERE miner_id = %(miner)s::uuid AND state = 'leased' AND lease_until > clock_timestamp()
    AND (%(jobs)s::uuid[] IS NULL OR job_id = ANY (%(jobs)s::uuid[]))
  RETURNING job_id, attempt, lease_until, cancel_at IS NOT NULL AS stop,
    execute_by - clock_timestamp() < 2 * heartbeat_seconds * interval '1 second' AS closing
)
SELECT beat.state, beat.attention, beat.booked, waiting.commands, alive.*
FROM (SELECT 1) one LEFT JOIN beat ON true CROSS JOIN waiting LEFT JOIN alive ON true""".format(
    columns=", ".join(METRICS)
)


@dataclass(frozen=True)
class Pulse:
    """The exchange's answer to a heartbeat."""

    miner: Known
    leases: list[dict[str, Any]] = field(default_factory=list)
    cancel: list[str] = field(default_factory=list)
    checkpoint: list[str] = field(default_factory=list)
    bookings: list[dict[str, Any]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    attention: int = 0


def record(
    caller: Caller,
    *,
    metrics: Mapping[str, Any] | None = None,
    running: list[UUID] | None = None,
    reports: list[leases.Report] | None = None,
    bookings_ready: list[UUID] | None = None,
) -> Pulse:
    """Record a heartbeat and extend the miner's leases; returns what it must stop and what it should save.

    `running` has the jobs that the miner works on: those it does not hold are in `cancel`; leases it does not name
    are not extended (it may have restarted and lost them). None means unknown. The answer also has its bookings and
    open commands. Raises MinerNotFound.
    """
    miner = recognise(caller)
    rows = _beat(miner, metrics or {}, running)
    if _lost(running, rows) and exchange_downtime.was_down():
        rows = _beat(miner, metrics or {}, running)
    if rows[0][0] in (None, MinerState.SUSPECT, MinerState.OFFLINE, MinerState.DEREGISTERED):
        MINER_CACHE.drop({miner.pk})
        miner = recognise(caller)
    if reports:
        leases.report(miner_id=miner.pk, reports=reports)
    bookings = _bookings(miner, rows[0][2], bookings_ready or [])
    held = [row[4:] for row in rows if row[4] is not None]
    lost = _lost(running, rows)
    return Pulse(
        miner=miner,
        leases=[{"job_id": str(job), "attempt": attempt, "lease_until": until} for job, attempt, until, *_ in held],
        cancel=sorted([str(job) for job, _, _, stop, _ in held if stop] + [str(job) for job in lost]),
        checkpoint=[str(job) for job, _, _, stop, closing in held if closing and not stop],
        bookings=bookings,
        commands=_json(rows[0][3]),
        attention=rows[0][1] or 0,
    )


def needs_heartbeat(miner: Known, *, seen_attention: int | None, woken: bool) -> bool:
    """Return whether a miner that sends `attention` should send a heartbeat at once, for a command or a booking.

    An ordinary empty poll reads no database: the cache knows within a second. A woken one reads the row.
    """
    if seen_attention is None:
        return False
    now = miner.attention
    if woken and now <= seen_attention:
        now = Miner.objects.filter(pk=miner.pk).values_list("attention", flat=True).first() or 0
    return now > seen_attention


def _beat(miner: Known, metrics: Mapping[str, Any], running: list[UUID] | None) -> list[Any]:
    values = {
        "miner": miner.pk,
        "metrics": jsonb.dumps(metrics) if metrics else None,
        "cards": jsonb.dumps(gpu_metrics(metrics)),
        "jobs": running,
    }
    with cursor(Miner) as sql:
        sql.execute(BEAT, values)
        return list(sql.fetchall())


def _lost(running: list[UUID] | None, rows: list[Any]) -> set[UUID]:
    """What the miner works on and does not hold."""
    return set(running or ()) - {row[4] for row in rows}


def _bookings(miner: Known, booked: Any, ready_ids: list[UUID]) -> list[dict[str, Any]]:
    """The miner's bookings for the answer; those it newly reports as ready are passed on."""
    bookings: list[dict[str, Any]] = _json(booked or {}).get("bookings", [])
    waiting = {UUID(one["booking_id"]) for one in bookings if not one["ready"]}
    if new := waiting & set(ready_ids):
        reservations.ready(miner_id=miner.pk, booking_ids=new)
    return [{**one, "ready": one["ready"] or UUID(one["booking_id"]) in new} for one in bookings]


def _json(value: Any) -> Any:
    """A JSON column of a raw cursor: text, unless the driver decodes it."""
    return jsonb.loads(value) if isinstance(value, (str, bytes)) else value
