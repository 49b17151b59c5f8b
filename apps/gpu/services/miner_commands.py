"""What a miner is asked to do beside its jobs: told in the answer to its heartbeat, answered through a door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from aitbc.core.db import atomic, on_commit
from aitbc.core.states import advance_many, begin
from apps.gpu.errors import MinerAway, OrderNotFound
from apps.gpu.models import GPURegistry, Miner, MinerOrder
from apps.gpu.services import miners
from apps.gpu.services.gpu_allocations import lock_miners, summon
from apps.gpu.services.queue import wake_up
from apps.gpu.states import MinerState, OrderState

SCAN_SECONDS = 120  # a miner that beats every 15 s has been told many times by then
KEPT_ANSWER = 32_768  # characters; what a miner may say about an order


@dataclass(frozen=True)
class Asked:
    """An order, and whether it was just made."""

    order: MinerOrder
    new: bool


def scan(miner: Miner, *, actor: str) -> Asked:
    """Ask a miner to look at its cards again; an order that is still open is the same one.

    Raises MinerAway when the miner is not there to hear it.
    """
    return ask(miner, kind=MinerOrder.Kind.SCAN, actor=actor, seconds=SCAN_SECONDS)


def ask(
    miner: Miner,
    *,
    kind: str,
    actor: str,
    seconds: int,
    body: Mapping[str, Any] | None = None,
    gpu: GPURegistry | None = None,
    signature: Mapping[str, Any] | None = None,
) -> Asked:
    """Give a miner an order; one of the same kind about the same card that is still open stands for it."""
    with atomic(MinerOrder):
        (miner,) = lock_miners([miner.pk])
        if miner.state not in (MinerState.ONLINE, MinerState.SUSPECT, MinerState.DRAINING):
            raise MinerAway(f"The miner is {miner.state}; it hears orders with its next heartbeat.", state=miner.state)
        order = MinerOrder.objects.open().filter(miner=miner, kind=kind, gpu=gpu).first()
        if order is not None:
            return Asked(order, new=False)
        order = MinerOrder(
            miner=miner,
            gpu=gpu,
            kind=kind,
            body=dict(body or {}),
            signature=dict(signature or {}),
            actor=actor,
            due_at=timezone.now() + timedelta(seconds=seconds),
        )
        begin(order, actor=actor, reason=f"{kind} asked for")
        summon(miner.pk)
    return Asked(order, new=True)


def answer(*, owner_id: UUID, order_id: UUID, said: Mapping[str, Any], error: str = "") -> MinerOrder:
    """Take a miner's answer; the cards of a scan are written into the registry at once.

    Raises OrderNotFound for another's order, StateConflict for one that is answered or expired already.
    """
    order = MinerOrder.objects.select_related("miner").filter(pk=order_id, miner__owner_id=owner_id).first()
    if order is None:
        raise OrderNotFound()
    with atomic(MinerOrder):
        lock_miners([order.miner_id])
        order.refresh_from_db()
        order.advance(
            OrderState.FAILED if error else OrderState.ANSWERED,
            actor=f"miner:{order.miner_id}",
            reason=error[:300],
            answer={"error": error[:1000]} if error else dict(said),
            ended_at=timezone.now(),
        )
        if order.kind == MinerOrder.Kind.SCAN and not error:
            _take_in(order.miner, said)
        on_commit(MinerOrder, lambda: wake_up([topic(order.pk)]))
    return order


def expire_overdue(*, limit: int = 1000) -> int:
    """End the orders that nobody answered in time."""
    now = timezone.now()
    late = list(MinerOrder.objects.overdue(now).order_by("due_at").values_list("pk", flat=True)[:limit])
    ended = advance_many(
        MinerOrder, late, OrderState.EXPIRED, actor="sweep", reason="not answered in time", ended_at=now
    )
    wake_up(topic(order_id) for order_id in ended)
    return len(ended)


def topic(order_id: UUID) -> str:
    """What a caller listens to who waits for an answer."""
    return f"order:{order_id}"


def _take_in(miner: Miner, said: Mapping[str, Any]) -> None:
    """The miner's capabilities, with the cards it has found now."""
    before = miner.capabilities if isinstance(miner.capabilities, dict) else {"tasks": miner.capabilities}
    found = {name: said[name] for name in ("gpus", "cpu", "cuda") if name in said}
    miners.declare(miner, capabilities={**before, **found})
