"""Which of a miner's GPUs are allocated to bookings: written on the miner's row, so that polls read no other table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone

from aitbc.core.db import atomic, on_commit
from aitbc.core.messaging import emit
from apps.gpu.events import BookingBroken
from apps.gpu.models import GPURegistry, Miner, Reservation
from apps.gpu.services import requirement_classes
from apps.gpu.services.gpu_transitions import BY_HAND, ON_OFFER
from apps.gpu.services.miner_cache import MINER_CACHE
from apps.gpu.services.queue import wake_up
from apps.gpu.services.silence import heard
from apps.gpu.states import BOOKED, GpuState

HIDDEN = (*BOOKED, GpuState.QUARANTINED, GpuState.RETIRED)


def lock_miners(miner_ids: Iterable[UUID]) -> list[Miner]:
    """Lock miners' rows in order of their ids and return them.

    Every change of GPUs takes these locks first, as the heartbeat does.
    """
    return list(Miner.objects.filter(pk__in=set(miner_ids)).order_by("pk").select_for_update(no_key=True))


def update_allocations(miner_ids: Iterable[UUID]) -> None:
    """Rewrite the allocations on these miners' rows; a miner whose row changed is woken for a heartbeat."""
    with atomic(Miner):
        for miner in lock_miners(miner_ids):
            booked = _booked(miner)
            if booked != miner.booked:
                Miner.objects.filter(pk=miner.pk).update(
                    booked=booked, capability_version=F("capability_version") + 1, **_called()
                )
                _after_commit(miner.pk)


def request_heartbeat(miner_id: UUID) -> None:
    """Wake a miner for a heartbeat at once; inside the caller's transaction."""
    Miner.objects.filter(pk=miner_id).update(**_called())
    MINER_CACHE.drop({miner_id})
    on_commit(Miner, lambda: _woken(miner_id))


def break_bookings(gpu_ids: Iterable[UUID], reason: str) -> None:
    """Publish BookingBroken for bookings whose GPUs are lost, once each, inside the caller's transaction.

    They are lost from the last heartbeat of a silent miner on, else from now.
    """
    lost = list(gpu_ids)
    now = timezone.now()
    affected = Reservation.objects.open().filter(gpu_ids__overlap=lost, broken_at=None).locked()
    broken = [one for one in affected if one.held_at is not None or one.starts_at <= now]  # others have time
    Reservation.objects.filter(pk__in=[one.pk for one in broken]).update(broken_at=now)
    last = heard({one.miner_id for one in broken}) if broken else {}
    lost_at = {miner_id: known.at for miner_id, known in last.items() if known.silent}
    emit(
        *(
            BookingBroken(
                booking_id=str(one.pk),
                gpu_id=str(next(gpu for gpu in one.gpu_ids if gpu in lost)),
                reason=reason,
                at=lost_at.get(one.miner_id, now).isoformat(),
            )
            for one in broken
        ),
        by="gpu",
    )


def _booked(miner: Miner) -> dict[str, Any]:
    gpus = list(miner.gpus.order_by("position", "pk"))
    states = {gpu.state for gpu in gpus}
    held = Reservation.objects.held().of_miner(miner.pk).order_by("pk")
    hidden = sorted({gpu.position for gpu in gpus if gpu.state in HIDDEN and gpu.position < BY_HAND})
    found = {
        "hidden": hidden,
        "taken": bool(states & set(BOOKED)) and not states & {*ON_OFFER, GpuState.DRAINING},
        "bookings": [_booking_entry(one, gpus) for one in held],
    }
    return {name: value for name, value in found.items() if value}


def _booking_entry(one: Reservation, gpus: list[GPURegistry]) -> dict[str, Any]:
    own = [gpu for gpu in gpus if gpu.pk in one.gpu_ids]
    return {
        "booking_id": str(one.pk),
        "gpu_ids": [str(gpu.pk) for gpu in own],
        "gpu_uuids": [gpu.uuid for gpu in own if gpu.uuid],
        "places": [gpu.position for gpu in own if gpu.kind == GPURegistry.Kind.GPU],
        "starts_at": one.starts_at.isoformat(),
        "ends_at": one.ends_at.isoformat(),
        "ready": one.ready_at is not None,
    }


def _called() -> dict[str, Any]:
    return {"attention": F("attention") + 1, "changed_at": timezone.now()}


def _after_commit(miner_id: UUID) -> None:
    MINER_CACHE.drop({miner_id})

    def noticed() -> None:
        _woken(miner_id)
        requirement_classes.mark_served_by(Miner.objects.get(pk=miner_id))

    on_commit(Miner, noticed)


def _woken(miner_id: UUID) -> None:
    MINER_CACHE.drop({miner_id})
    wake_up([f"miner:{miner_id}"])
