"""Miners: who they are, what they offer, whether they live.

A miner belongs to the owner of the key. The id that a client sends, in whatever place, selects among the owner's
miners and is never authority; without one, the miner that this key registered last is meant.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.db import IntegrityError
from django.db.models import F
from django.utils import timezone

from aitbc.core.db import atomic, cursor, on_commit
from aitbc.core.errors import Invalid, StateConflict
from aitbc.core.states import begin
from apps.gpu.capabilities import Offer, normalise
from apps.gpu.errors import MinerBusy, MinerNotFound
from apps.gpu.figures import FIGURES, figures_of
from apps.gpu.models import Lease, Miner, Reservation
from apps.gpu.services import classes, leases, presence, registry, reservations
from apps.gpu.services.roster import ROSTER, Known
from apps.gpu.services.work import wake_up
from apps.gpu.states import MinerState

MOST_CONCURRENT = 1024

# One statement a heartbeat: the miner's liveness, its leases pushed on (those it names, if it names any), what it is
# asked for; and, once a minute, the minute's mark in its hour and the figures of its cards.
BEAT = """WITH old AS MATERIALIZED (
  SELECT id, noted_at, date_trunc('minute', clock_timestamp()) AS minute FROM gpu_miner
  WHERE id = %(miner)s::uuid FOR NO KEY UPDATE
), beat AS (
  UPDATE gpu_miner m SET last_heartbeat = clock_timestamp(), metrics = coalesce(%(metrics)s::jsonb, metrics),
    noted_at = old.minute
  FROM old WHERE m.id = old.id
  RETURNING m.id, m.state, m.region, m.attention, m.booked, old.minute,
    old.noted_at IS DISTINCT FROM old.minute AS fresh
), marked AS (
  INSERT INTO gpu_minerhour AS h (miner_id, hour, minutes)
  SELECT id, date_trunc('hour', minute), 1::bigint << extract(minute FROM minute)::int FROM beat WHERE fresh
  ON CONFLICT (hour, miner_id) DO UPDATE SET minutes = h.minutes | excluded.minutes
), figures AS MATERIALIZED (
  SELECT g.id AS gpu_id, beat.region, f.* FROM beat CROSS JOIN LATERAL jsonb_to_recordset(%(cards)s::jsonb) AS f(
    uuid text, place int, network_latency_ms float8, compute_latency_ms float8, total_latency_ms float8,
    gpu_utilization_percent float8, memory_utilization_percent float8, memory_used_mb float8, power_draw_w float8,
    temperature_celsius float8, fan_percent float8, graphics_clock_mhz float8, memory_clock_mhz float8,
    thermal_throttling_active bool, power_limit_active bool)
  JOIN gpu_gpuregistry g ON g.miner_id = beat.id AND g.state <> 'retired'
    AND CASE WHEN f.uuid <> '' THEN g.uuid = f.uuid ELSE g.position = f.place END
  WHERE beat.fresh
), kept AS (
  INSERT INTO gpu_edgegpumetrics (gpu_id, region, {columns}) SELECT gpu_id, region, {columns} FROM figures
), latest AS (
  UPDATE gpu_gpuregistry g SET seen_at = clock_timestamp(),
    latest = jsonb_strip_nulls(to_jsonb(f) - 'gpu_id' - 'uuid' - 'place' - 'region')
  FROM figures f WHERE g.id = f.gpu_id
), asked AS (
  SELECT coalesce(jsonb_agg(jsonb_build_object('order_id', id, 'kind', kind, 'gpu_id', gpu_id, 'body', body,
    'signature', signature, 'due_at', due_at) ORDER BY created_at), '[]'::jsonb) AS orders
  FROM gpu_minerorder WHERE miner_id = %(miner)s::uuid AND state = 'open'
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
SELECT beat.state, beat.attention, beat.booked, asked.orders, alive.*
FROM (SELECT 1) one LEFT JOIN beat ON true CROSS JOIN asked LEFT JOIN alive ON true""".format(
    columns=", ".join(FIGURES)
)


@dataclass(frozen=True)
class Caller:
    """A key and the miner id it was sent with, if any."""

    owner_id: UUID
    key_id: str
    key_prefix: str
    named: str | None = None

    @property
    def own_name(self) -> str:
        """The name of a miner that never gave one: of its key only the public prefix is shown."""
        return f"miner-{self.key_prefix}"


@dataclass(frozen=True)
class Pulse:
    """The exchange's answer to a heartbeat."""

    miner: Known
    leases: list[dict[str, Any]] = field(default_factory=list)
    cancel: list[str] = field(default_factory=list)
    checkpoint: list[str] = field(default_factory=list)
    bookings: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    attention: int = 0


def find(caller: Caller) -> Miner | None:
    """The owner's miner that the caller means. Raises MinerNotFound when the id is someone else's."""
    mine = Miner.objects.owned_by(caller.owner_id)
    if caller.named is None:
        return (
            mine.present().filter(key_id=caller.key_id).order_by("-created_at").first()
            or mine.filter(name=caller.own_name).first()
        )
    found = mine.filter(name=caller.named).first()
    if found is None and (pk := _as_uuid(caller.named)) is not None:
        found = mine.filter(pk=pk).first()
        if found is None and Miner.objects.filter(pk=pk).exists():
            raise MinerNotFound()
    return found


def get(caller: Caller) -> Miner:
    """The miner the caller means; MinerNotFound when it has none."""
    miner = find(caller)
    if miner is None or miner.state == MinerState.DEREGISTERED:
        raise MinerNotFound()
    return miner


def register(caller: Caller, *, capabilities: Any = None, concurrency: int | None = None, region: str = "") -> Miner:
    """Register a miner, or the same one again with what it offers now. Its leases, if it has any, stay its own."""
    offer = read_offer(capabilities, region=region)
    slots = _slots(concurrency, capabilities)
    miner = find(caller)
    if miner is None:
        miner = _create(caller, capabilities, offer, slots)
        if miner is not None:
            return miner
        miner = find(caller)  # another request of the same miner was faster
        if miner is None:
            raise MinerNotFound()
    with atomic(Miner):
        if miner.state != MinerState.ONLINE:
            fresh: dict[str, Any] = {"judged_until": next_hour()} if miner.state == MinerState.DEREGISTERED else {}
            miner.advance(MinerState.ONLINE, actor=f"key:{caller.key_prefix}", reason="registered again", **fresh)
            presence.follow([miner.pk], actor=f"miner:{miner.pk}")
        Miner.objects.filter(pk=miner.pk).update(
            key_id=caller.key_id, session=secrets.token_hex(16), last_heartbeat=timezone.now()
        )
        _store_offer(miner, capabilities, offer, slots)
    miner.refresh_from_db()
    return miner


def declare(miner: Miner, *, capabilities: Any, concurrency: int | None = None, region: str = "") -> Miner:
    """Change what a miner offers; what it holds already keeps its terms."""
    slots = miner.concurrency if concurrency is None else _slots(concurrency, capabilities)
    with atomic(Miner):
        _store_offer(miner, capabilities, read_offer(capabilities, region=region or miner.region), slots)
    miner.refresh_from_db()
    return miner


def recognise(caller: Caller) -> Known:
    """The miner behind a heartbeat or a poll, from this process's roster when it can; a missing row is made again."""
    key = (caller.owner_id, caller.key_id, caller.named)
    known = ROSTER.find(key)
    if known is not None and known.state == MinerState.ONLINE:
        return known
    miner = find(caller)
    if miner is None:
        # An old daemon never registers twice, some never do: the key is enough. A name used elsewhere is not its own.
        if caller.named is not None and Miner.objects.filter(name=caller.named).exists():
            raise MinerNotFound()
        miner = register(caller)
    if miner.state == MinerState.DEREGISTERED:
        raise MinerNotFound("This miner was deregistered; register it again.")
    if miner.state in (MinerState.SUSPECT, MinerState.OFFLINE):
        _revive(miner)
    return ROSTER.put(key, miner)


def heartbeat(
    caller: Caller,
    *,
    metrics: Mapping[str, Any] | None = None,
    running: list[UUID] | None = None,
    reports: list[leases.Report] | None = None,
    bookings_ready: list[UUID] | None = None,
) -> Pulse:
    """Note that a miner lives and push its leases on; answers what it should stop, and what it should save.

    `running` is what the miner says it works on. What it names and does not hold, it is told to stop; what it holds
    and does not name, is not pushed on (it may have restarted and forgotten). None means that it does not say.
    The answer also holds what is booked of its cards, and what else it is asked to do.
    """
    miner = recognise(caller)
    rows = _beat(miner, metrics or {}, running)
    if rows[0][0] in (None, MinerState.SUSPECT, MinerState.OFFLINE, MinerState.DEREGISTERED):
        ROSTER.drop({miner.pk})
        miner = recognise(caller)
    if reports:
        leases.report(miner_id=miner.pk, reports=reports)
    bookings = _bookings(miner, rows[0][2], bookings_ready or [])
    held = [row[4:] for row in rows if row[4] is not None]
    lost = set(running or ()) - {job_id for job_id, *_ in held}
    return Pulse(
        miner=miner,
        leases=[{"job_id": str(job), "attempt": attempt, "lease_until": until} for job, attempt, until, *_ in held],
        cancel=sorted([str(job) for job, _, _, stop, _ in held if stop] + [str(job) for job in lost]),
        checkpoint=[str(job) for job, _, _, stop, closing in held if closing and not stop],
        bookings=bookings,
        orders=_json(rows[0][3]),
        attention=rows[0][1] or 0,
    )


def is_asked_for(miner: Known, *, heard: int | None, woken: bool) -> bool:
    """Whether a miner that can (it sends what it last heard) should beat at once, for an order or a booking.

    An ordinary empty poll asks no database: the roster knows within a second. A woken one looks at the row.
    """
    if heard is None:
        return False
    now = miner.attention
    if woken and now <= heard:
        now = Miner.objects.filter(pk=miner.pk).values_list("attention", flat=True).first() or 0
    return now > heard


def _beat(miner: Known, metrics: Mapping[str, Any], running: list[UUID] | None) -> list[Any]:
    values = {
        "miner": miner.pk,
        "metrics": orjson.dumps(metrics).decode() if metrics else None,
        "cards": orjson.dumps(figures_of(metrics)).decode(),
        "jobs": running,
    }
    with cursor(Miner) as sql:
        sql.execute(BEAT, values)
        return list(sql.fetchall())


def _bookings(miner: Known, booked: Any, said_ready: list[UUID]) -> list[dict[str, Any]]:
    """What is booked, as the miner is told; those it newly says to be ready are passed on."""
    told: list[dict[str, Any]] = _json(booked or {}).get("bookings", [])
    waiting = {UUID(one["booking_id"]) for one in told if not one["ready"]}
    if new := waiting & set(said_ready):
        reservations.ready(miner_id=miner.pk, booking_ids=new)
    return [{**one, "ready": one["ready"] or UUID(one["booking_id"]) in new} for one in told]


def _json(value: Any) -> Any:
    """A JSON column of a raw cursor: text, unless the driver was told to decode it."""
    return orjson.loads(value) if isinstance(value, (str, bytes)) else value


def deregister(miner: Miner, *, drain: bool = False, force: bool = False, actor: str) -> Miner:
    """Take a miner out of service. With leases or bookings it must drain (finish them), or be forced (they end)."""
    with atomic(Miner):
        miner = Miner.objects.select_for_update(no_key=True).get(pk=miner.pk)
        live = Lease.objects.live().of_miner(miner.pk).count()
        booked = Reservation.objects.open().of_miner(miner.pk).count()
        if (live or booked) and not (drain or force):
            raise MinerBusy(
                f"It holds {live} leases and {booked} bookings; pass drain=1 to let it finish them.",
                leases=live,
                bookings=booked,
            )
        target = MinerState.DRAINING if (live or booked) and drain and not force else MinerState.DEREGISTERED
        if miner.state == MinerState.DEREGISTERED:
            raise StateConflict("The miner is deregistered already.", state=miner.state, allowed=[MinerState.ONLINE])
        if miner.state != target:
            miner.advance(target, actor=actor, reason="forced" if force else "deregistered", changed_at=timezone.now())
        if live and force:
            Lease.objects.live().of_miner(miner.pk).update(lease_until=timezone.now(), code="miner_gone")
        presence.follow([miner.pk], actor=actor)
    ROSTER.drop({miner.pk})
    return miner


def read_offer(capabilities: Any, *, region: str) -> Offer:
    try:
        return normalise(capabilities, region=region)
    except ValueError as error:
        raise Invalid(
            f"capabilities.price: {error}", errors=[{"field": "capabilities.price", "message": str(error)}]
        ) from None


def _create(caller: Caller, capabilities: Any, offer: Offer, slots: int) -> Miner | None:
    miner = Miner(
        owner_id=caller.owner_id,
        key_id=caller.key_id,
        name=caller.named or caller.own_name,
        session=secrets.token_hex(16),
        judged_until=next_hour(),
    )
    try:
        with atomic(Miner):
            begin(miner, actor=f"key:{caller.key_prefix}", reason="registered")
            _store_offer(miner, capabilities, offer, slots)
    except IntegrityError:
        return None
    miner.refresh_from_db()
    return miner


def _store_offer(miner: Miner, capabilities: Any, offer: Offer, slots: int) -> None:
    """Write what the miner offers; inside the caller's transaction."""
    Miner.objects.filter(pk=miner.pk).update(
        capabilities=capabilities if isinstance(capabilities, (dict, list)) else {},
        offer=offer.to_json(),
        price=offer.price,
        region=offer.region[:100],
        concurrency=slots,
        capability_version=F("capability_version") + 1,
        changed_at=timezone.now(),
    )
    registry.keep_in_step(Miner.objects.get(pk=miner.pk), offer.devices, actor=f"miner:{miner.pk}")
    ROSTER.drop({miner.pk})
    on_commit(Miner, lambda: _noticed(miner.pk))


def _noticed(miner_id: UUID) -> None:
    wake_up([f"miner:{miner_id}"])
    ROSTER.drop({miner_id})
    classes.served_by(Miner.objects.get(pk=miner_id))


def _revive(miner: Miner) -> None:
    now: datetime = timezone.now()
    actor = f"miner:{miner.pk}"
    away = miner.state == MinerState.OFFLINE
    try:
        with atomic(Miner):
            miner.advance(MinerState.ONLINE, actor=actor, reason="heard again", last_heartbeat=now, changed_at=now)
            if away:
                presence.follow([miner.pk], actor=actor)
    except StateConflict:
        if miner.state != MinerState.ONLINE:  # refreshed: another request of this miner may have been faster
            raise


def _slots(concurrency: int | None, capabilities: Any) -> int:
    claimed = capabilities.get("max_concurrent_jobs") if isinstance(capabilities, Mapping) else None
    slots = concurrency if concurrency is not None else claimed
    return min(max(int(slots), 1), MOST_CONCURRENT) if isinstance(slots, int) and not isinstance(slots, bool) else 1


def next_hour() -> datetime:
    """The first full hour that can be judged of a miner that comes now."""
    return timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
