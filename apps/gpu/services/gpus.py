"""The registry of GPUs: synchronised with what miners report, and changed by owners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Max
from django.utils import timezone

from aitbc.core.db import atomic
from aitbc.core.errors import Invalid, StateConflict
from aitbc.core.states import begin
from apps.gpu.errors import GpuBooked
from apps.gpu.logic.capabilities import Gpu
from apps.gpu.models import GPURegistry, Miner, Reservation
from apps.gpu.services import catalogue, prices
from apps.gpu.services.gpu_allocations import lock_miners, update_allocations
from apps.gpu.services.gpu_availability import take_back, take_offline
from apps.gpu.services.gpu_events import announce
from apps.gpu.services.gpu_transitions import BY_HAND, PAUSED, PRESENT, UNNAMED, restore, transition
from apps.gpu.services.uuid_disputes import MOVED, TWO_CLAIMS, dispute, quarantine
from apps.gpu.states import BOOKED, GpuState

__all__ = ["announce", "change", "synchronise", "register", "retire"]

SWITCHES = {"available": True, "online": True, "active": True, "offline": False, "paused": False, "maintenance": False}
PROVEN = ("name", "memory_mb", "kind")  # what a benchmark was passed as; another card must pass its own


def synchronise(miner: Miner, gpus: Sequence[Gpu], *, actor: str) -> None:
    """Write the GPUs that a miner reports, in the caller's transaction; one it no longer reports goes offline.

    A GPU is identified by its UUID. Legacy clients send none: then its place in the list decides, and one registered by
    hand is taken for the first reported under its name.
    """
    known = list(GPURegistry.objects.of_miner(miner.pk).locked())
    named: set[UUID] = set()
    for place, reported in _sorted_unique(gpus):
        row = _same(reported, place, [gpu for gpu in known if gpu.pk not in named])
        row = _add(miner, place, reported, actor=actor) if row is None else _update(row, place, reported)
        named.add(row.pk)
        if row.state == GpuState.RETIRED and row.reason == MOVED:
            _bring_back(row, miner, actor=actor)
        if row.state == GpuState.OFFLINE or (row.state == GpuState.DRAINING and not row.paused):
            take_back([row], miner, actor=actor, reason="named by its miner")
    gone = [row.pk for row in known if row.pk not in named and row.position < BY_HAND]
    take_offline(gone, reason=UNNAMED, actor=actor)
    announce([*named, *(row.pk for row in known)])
    update_allocations([miner.pk])


def register(
    miner: Miner, reported: Gpu, *, external_id: str = "", price_per_hour: int | None = None, actor: str
) -> GPURegistry:
    """Register a GPU by hand, or change the one its owner gave this id; returns it. What the miner reports later wins.

    `price_per_hour` is in micro-AIT. Raises GpuBooked where another miner of the owner holds the id in a booking, and
    Invalid for a price above miner.max_price.
    """
    prices.check(price_per_hour, field="price_per_hour")
    with atomic(GPURegistry):
        (miner,) = lock_miners([miner.pk])
        mine = GPURegistry.objects.owned_by(miner.owner_id)
        row = mine.filter(external_id=external_id).locked().first() if external_id else None
        if row is None and reported.uuid:
            row = mine.of_miner(miner.pk).filter(uuid=reported.uuid).locked().first()
        if row is None:
            row = _add(miner, _next_by_hand(miner), reported, actor=actor, external_id=external_id)
        else:
            if row.position >= BY_HAND:  # a reported GPU is as its miner reports it
                _move_to(row, miner)
                row = _update(row, row.position, reported)
            if row.state == GpuState.RETIRED:
                transition([row.pk], GpuState.REGISTERED, reason="registered again", actor=actor)
        changes: dict[str, Any] = {"external_id": external_id or row.external_id}
        if price_per_hour is not None:
            changes["price_per_hour"] = price_per_hour
        GPURegistry.objects.filter(pk=row.pk).update(**changes)
        announce([row.pk])
        update_allocations([miner.pk])
    row.refresh_from_db()
    return row


def change(gpu: GPURegistry, *, actor: str, price_per_hour: int | None = None, on: bool | None = None) -> GPURegistry:
    """Change a GPU's price (micro-AIT per hour) and whether it is on the market; returns it. A booked one stays booked.

    Raises StateConflict for putting a quarantined or retired one on the market, Invalid for a price above
    miner.max_price.
    """
    prices.check(price_per_hour, field="price_per_hour")
    with atomic(GPURegistry):
        (miner,) = lock_miners([gpu.miner_id])
        gpu = GPURegistry.objects.locked().get(pk=gpu.pk)
        if price_per_hour is not None:
            GPURegistry.objects.filter(pk=gpu.pk).update(price_per_hour=price_per_hour)
        if on is not None:
            _switch(gpu, miner, on=on, actor=actor)
        announce([gpu.pk])
        update_allocations([miner.pk])
    gpu.refresh_from_db()
    return gpu


def retire(gpu: GPURegistry, *, actor: str, reason: str = "retired by its owner") -> GPURegistry:
    """Retire a GPU and return it; its history stays. Raises GpuBooked while a booking needs it, StateConflict."""
    with atomic(GPURegistry):
        (miner,) = lock_miners([gpu.miner_id])
        booking = Reservation.objects.open().over_gpu(gpu.pk).first()
        if booking is not None:
            raise GpuBooked(
                f"Booking {booking.pk} has it until {booking.ends_at:%Y-%m-%d %H:%M} UTC.", booking_id=str(booking.pk)
            )
        gpu.refresh_from_db()
        if gpu.state != GpuState.RETIRED and not transition([gpu.pk], GpuState.RETIRED, reason=reason, actor=actor):
            raise StateConflict(f"A {gpu.state} card cannot be retired.", state=gpu.state, allowed=[])
        announce([gpu.pk])
        update_allocations([miner.pk])
    gpu.refresh_from_db()
    return gpu


def _sorted_unique(gpus: Sequence[Gpu]) -> list[tuple[int, Gpu]]:
    """By UUID, so that two miners that name the same cards wait for each other only one way; each UUID once."""
    places = sorted(enumerate(gpus), key=lambda pair: (pair[1].uuid, pair[0]))
    seen: set[str] = set()
    unique = []
    for place, gpu in places:
        if gpu.uuid and gpu.uuid in seen:
            continue
        seen.add(gpu.uuid)
        unique.append((place, gpu))
    return unique


def _same(reported: Gpu, place: int, known: Sequence[GPURegistry]) -> GPURegistry | None:
    """The row of a card: by UUID, else by place among those without one, else one registered by hand under its name."""
    if reported.uuid:
        found = next((row for row in known if row.uuid == reported.uuid), None)
        if found is not None:
            return found
    nameless = [row for row in known if not row.uuid and row.state != GpuState.RETIRED]
    return next(
        (row for row in nameless if row.position == place and row.kind == reported.kind),
        next((row for row in nameless if row.position >= BY_HAND and _alike(row, reported)), None),
    )


def _alike(row: GPURegistry, reported: Gpu) -> bool:
    return row.name.casefold() == reported.name.casefold() and row.kind == reported.kind


def _add(miner: Miner, place: int, reported: Gpu, *, actor: str, external_id: str = "") -> GPURegistry:
    """A card nobody knew; one that another miner names too is quarantined together with that claim."""
    row = GPURegistry(
        miner=miner,
        owner_id=miner.owner_id,
        position=place,
        external_id=external_id,
        **asdict(reported),
        **_model_of(reported),
    )
    doubtful = bool(reported.uuid) and dispute(reported.uuid, miner, actor=actor)
    if not doubtful:
        try:
            with atomic(GPURegistry):
                begin(
                    row, actor=actor, reason="reported by its miner" if place < BY_HAND else "registered by its owner"
                )
        except IntegrityError:
            # Another miner named it a moment ago, and has committed by now.
            doubtful = dispute(reported.uuid, miner, actor=actor)
            if not doubtful:
                raise
        else:
            restore([row], miner, actor=actor, reason="registered")
    if doubtful:
        row.state, row.reason = GpuState.QUARANTINED, TWO_CLAIMS
        begin(row, actor=actor, reason=TWO_CLAIMS)
    row.refresh_from_db()
    return row


def _bring_back(row: GPURegistry, miner: Miner, *, actor: str) -> None:
    """Register a GPU again that its owner brought back to this miner."""
    doubtful = dispute(row.uuid, miner, actor=actor)
    transition([row.pk], GpuState.REGISTERED, reason="moved back", actor=actor)
    row.refresh_from_db()
    restore([row], miner, actor=actor, reason="moved back")
    if doubtful:
        quarantine([row.pk], reason=TWO_CLAIMS, actor=actor)


def _update(row: GPURegistry, place: int, reported: Gpu) -> GPURegistry:
    facts: dict[str, Any] = asdict(reported) | {"position": place, "seen_at": timezone.now()}
    if not reported.uuid:
        del facts["uuid"]
    if any(getattr(row, name) != facts[name] for name in PROVEN):
        facts |= {"verified_at": None, "score": None, "measured": {}, "retest_at": None}
    if row.profile_id is None or (row.name, row.memory_mb) != (reported.name, reported.memory_mb):
        facts |= _model_of(reported)
    GPURegistry.objects.filter(pk=row.pk).update(**facts)
    for name, value in facts.items():
        setattr(row, name, value)
    if row.verified_at is None and row.state == GpuState.AVAILABLE:
        transition([row.pk], GpuState.REGISTERED, reason="it is not what was verified", actor=f"miner:{row.miner_id}")
    row.refresh_from_db()
    return row


def _model_of(reported: Gpu) -> dict[str, Any]:
    match = catalogue.recognise(reported.name, reported.memory_mb) if reported.kind == GPURegistry.Kind.GPU else None
    return {"profile": match.row if match else None, "profile_likeness": match.likeness if match else 0}


def _next_by_hand(miner: Miner) -> int:
    taken = miner.gpus.filter(position__gte=BY_HAND).aggregate(last=Max("position"))["last"]
    return BY_HAND if taken is None else taken + 1


def _move_to(row: GPURegistry, miner: Miner) -> None:
    """The owner names another of its miners for a card registered by hand."""
    if row.miner_id == miner.pk:
        return
    if Reservation.objects.open().over_gpu(row.pk).exists():
        raise GpuBooked("A booking has it; it cannot go to another miner now.")
    row.position = _next_by_hand(miner)
    GPURegistry.objects.filter(pk=row.pk).update(miner=miner)
    row.miner = miner


def _switch(gpu: GPURegistry, miner: Miner, *, on: bool, actor: str) -> None:
    """On the market or off it; what is booked stays with its renter, and the switch counts afterwards."""
    if on and gpu.state in (GpuState.QUARANTINED, GpuState.RETIRED):
        raise StateConflict(f"The card is {gpu.state}: {gpu.reason}.", state=gpu.state, allowed=[])
    GPURegistry.objects.filter(pk=gpu.pk).update(paused=not on)
    gpu.paused = not on
    if gpu.state in BOOKED:
        return
    if not on:
        transition([gpu.pk], GpuState.OFFLINE, reason=PAUSED, actor=actor, sources=PRESENT)
    elif gpu.state == GpuState.OFFLINE and gpu.reason == PAUSED:
        take_back([gpu], miner, actor=actor, reason="its owner put it back")


def on_the_market(status: str) -> bool:
    """Return whether an owner's word for a status puts the GPU on the market. Raises Invalid for an unknown word."""
    word = status.strip().lower()
    if word not in SWITCHES:
        message = f"One of {', '.join(sorted(SWITCHES))}; anything else follows from what the card does."
        raise Invalid(f"status: {message}", errors=[{"field": "status", "message": message}])
    return SWITCHES[word]
