"""Miners: identity, offer and state.

A miner belongs to the owner of the key. The id that a client sends, in whatever place, selects among the owner's
miners and is never authority; without one, the miner that this key registered last is meant.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import F
from django.utils import timezone

from aitbc.core.db import atomic, on_commit
from aitbc.core.errors import Invalid, StateConflict
from aitbc.core.states import begin
from apps.gpu.errors import MinerBusy, MinerNotFound
from apps.gpu.logic.capabilities import Offer, normalise
from apps.gpu.models import Lease, Miner, Reservation
from apps.gpu.services import gpu_availability, gpus, prices, requirement_classes
from apps.gpu.services.miner_cache import MINER_CACHE, Known
from apps.gpu.services.queue import wake_up
from apps.gpu.states import MinerState

MOST_CONCURRENT = 1024


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


def find(caller: Caller) -> Miner | None:
    """Return the owner's miner that the caller means, or None. Raises MinerNotFound when the id is someone else's."""
    mine = Miner.objects.owned_by(caller.owner_id)
    if caller.named is None:
        return (
            mine.present().filter(key_id=caller.key_id).order_by("-created_at", "-pk").first()
            or mine.filter(name=caller.own_name).first()
        )
    found = mine.filter(name=caller.named).first()
    if found is None and (pk := _as_uuid(caller.named)) is not None:
        found = mine.filter(pk=pk).first()
        if found is None and Miner.objects.filter(pk=pk).exists():
            raise MinerNotFound()
    return found


def get(caller: Caller) -> Miner:
    """Return the caller's miner. Raises MinerNotFound when there is none in service."""
    miner = find(caller)
    if miner is None or miner.state == MinerState.DEREGISTERED:
        raise MinerNotFound()
    return miner


def id_of(caller: Caller) -> UUID:
    """Return the id of the caller's miner, from this process's cache if possible. Raises MinerNotFound."""
    known = MINER_CACHE.find((caller.owner_id, caller.key_id, caller.named))
    return get(caller).pk if known is None else known.pk


def register(caller: Caller, *, capabilities: Any = None, concurrency: int | None = None, region: str = "") -> Miner:
    """Register a miner, or the same one again with what it offers now; returns its row. Leases it holds stay its own.

    Raises Invalid for a price that is no amount, MinerNotFound when the id is someone else's.
    """
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
            gpu_availability.follow_miners([miner.pk], actor=f"miner:{miner.pk}")
        Miner.objects.filter(pk=miner.pk).update(
            key_id=caller.key_id, session=secrets.token_hex(16), last_heartbeat=timezone.now()
        )
        _store_offer(miner, capabilities, offer, slots)
    miner.refresh_from_db()
    return miner


def declare(miner: Miner, *, capabilities: Any, concurrency: int | None = None, region: str = "") -> Miner:
    """Change what a miner offers and return its row; leases that it holds keep their terms.

    Raises Invalid as `read_offer` does.
    """
    slots = miner.concurrency if concurrency is None else _slots(concurrency, capabilities)
    with atomic(Miner):
        _store_offer(miner, capabilities, read_offer(capabilities, region=region or miner.region), slots)
    miner.refresh_from_db()
    return miner


def recognise(caller: Caller) -> Known:
    """Return the miner behind a heartbeat or a poll, from this process's cache if possible; create a missing row.

    Raises MinerNotFound for another owner's miner, or a deregistered one.
    """
    key = (caller.owner_id, caller.key_id, caller.named)
    known = MINER_CACHE.find(key)
    if known is not None and known.state == MinerState.ONLINE:
        return known
    miner = find(caller)
    if miner is None:
        # Legacy daemons register once or never: the key is enough. A name that exists elsewhere is not its own.
        if caller.named is not None and Miner.objects.filter(name=caller.named).exists():
            raise MinerNotFound()
        miner = register(caller)
    if miner.state == MinerState.DEREGISTERED:
        raise MinerNotFound("This miner was deregistered; register it again.")
    if miner.state in (MinerState.SUSPECT, MinerState.OFFLINE):
        _revive(miner)
    return MINER_CACHE.put(key, miner)


def deregister(miner: Miner, *, drain: bool = False, force: bool = False, actor: str) -> Miner:
    """Take a miner out of service and return its row: draining when it holds leases or bookings and may end them first.

    `force` ends them at once. Raises MinerBusy when it holds some and neither is requested, StateConflict.
    """
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
        gpu_availability.follow_miners([miner.pk], actor=actor)
    MINER_CACHE.drop({miner.pk})
    return miner


def read_offer(capabilities: Any, *, region: str) -> Offer:
    """Return capabilities, as a client sent them, as an Offer.

    Raises Invalid for a price that is no amount, or above the parameter miner.max_price.
    """
    try:
        offer = normalise(capabilities, region=region)
    except ValueError as error:
        raise Invalid(
            f"capabilities.price: {error}", errors=[{"field": "capabilities.price", "message": str(error)}]
        ) from None
    prices.check(offer.price, field="capabilities.price")
    return offer


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
    gpus.synchronise(Miner.objects.get(pk=miner.pk), offer.devices, actor=f"miner:{miner.pk}")
    MINER_CACHE.drop({miner.pk})
    on_commit(Miner, lambda: _noticed(miner.pk))


def _noticed(miner_id: UUID) -> None:
    wake_up([f"miner:{miner_id}"])
    MINER_CACHE.drop({miner_id})
    requirement_classes.mark_served_by(Miner.objects.get(pk=miner_id))


def _revive(miner: Miner) -> None:
    now: datetime = timezone.now()
    actor = f"miner:{miner.pk}"
    away = miner.state == MinerState.OFFLINE
    try:
        with atomic(Miner):
            miner.advance(MinerState.ONLINE, actor=actor, reason="heard again", last_heartbeat=now, changed_at=now)
            if away:
                gpu_availability.follow_miners([miner.pk], actor=actor)
    except StateConflict:
        if miner.state != MinerState.ONLINE:  # refreshed: another request of this miner may have been faster
            raise


def _slots(concurrency: int | None, capabilities: Any) -> int:
    claimed = capabilities.get("max_concurrent_jobs") if isinstance(capabilities, Mapping) else None
    slots = concurrency if concurrency is not None else claimed
    return min(max(int(slots), 1), MOST_CONCURRENT) if isinstance(slots, int) and not isinstance(slots, bool) else 1


def next_hour() -> datetime:
    """Return the first full hour for which a miner that registers now can be judged."""
    return timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
