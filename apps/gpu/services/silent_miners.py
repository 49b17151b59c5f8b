"""Silent miners: suspect after two missed heartbeats, offline after more; drained ones leave.

A miner is judged by a guarded update that its heartbeat overtakes, so that two sweeps at once do no harm. Nothing is
judged while the exchange itself is down (exchange_downtime.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.db.models.expressions import Combinable
from django.utils import timezone

from aitbc.core import params
from aitbc.core.db import atomic
from aitbc.core.states import advance_many
from apps.gpu.models import Lease, Miner, Reservation
from apps.gpu.services import gpu_availability
from apps.gpu.states import MinerState

BATCH = 5000


def watch_miners() -> dict[str, int]:
    """Set silent miners to suspect, then to offline, and deregister drained ones; returns how many of each.

    A draining miner that falls silent is deregistered once its leases are over, so that its bookings break.
    """
    now, beat = timezone.now(), timedelta(seconds=params.get("miner.heartbeat_s"))
    lost_after = params.get("miner.offline_misses") * beat
    live = Lease.objects.live().filter(miner_id=OuterRef("pk"))
    booked = Reservation.objects.held().filter(miner_id=OuterRef("pk"))
    drained = Miner.objects.filter(~Exists(live), ~Exists(booked), state=MinerState.DRAINING)
    lost_draining = _silent(MinerState.DRAINING, MinerState.DEREGISTERED, now - lost_after, ~Exists(live))
    return {
        "offline": _silent(MinerState.SUSPECT, MinerState.OFFLINE, now - lost_after),
        "suspect": _silent(MinerState.ONLINE, MinerState.SUSPECT, now - min(2 * beat, lost_after)),
        "deregistered": lost_draining + _drained(drained.values_list("pk", flat=True)[:BATCH]),
    }


def _drained(miner_ids: Iterable[UUID]) -> int:
    with atomic(Miner):
        left = advance_many(
            Miner,
            list(miner_ids),
            MinerState.DEREGISTERED,
            actor="sweep",
            reason="drained",
            sources=[MinerState.DRAINING],
            changed_at=timezone.now(),
        )
        gpu_availability.follow_miners(left, actor="sweep")
    return len(left)


def _silent(state: MinerState, to: MinerState, since: datetime, *terms: Combinable) -> int:
    """Change miners without a heartbeat since; one that arrives meanwhile leaves its miner as it is."""
    found = Miner.objects.filter(*terms, state=state, last_heartbeat__lt=since, backend=None)
    silent = found.values_list("pk", flat=True)
    with atomic(Miner):
        changed = advance_many(
            Miner,
            list(silent[:BATCH]),
            to,
            actor="sweep",
            reason=f"not heard since {since:%H:%M:%S}",
            sources=[state],
            where={"last_heartbeat__lt": since},
            changed_at=timezone.now(),
        )
        if to in (MinerState.OFFLINE, MinerState.DEREGISTERED):
            gpu_availability.follow_miners(changed, actor="sweep")
    return len(changed)
