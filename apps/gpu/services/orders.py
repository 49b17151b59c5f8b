"""What a miner is asked to do beside its jobs: told in the answer to its heartbeat, answered through a door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from aitbc.core.db import atomic
from aitbc.core.states import advance_many, begin
from apps.gpu.errors import MinerAway, OrderNotFound
from apps.gpu.models import GPURegistry, Miner, MinerOrder
from apps.gpu.states import MinerState, OrderState


@dataclass(frozen=True)
class Asked:
    """An order, and whether it was just made."""

    order: MinerOrder
    new: bool


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
        miner = Miner.objects.select_for_update(no_key=True).get(pk=miner.pk)
        if miner.state not in (MinerState.ONLINE, MinerState.SUSPECT, MinerState.DRAINING):
            raise MinerAway(f"The miner is {miner.state}; it hears orders with its next heartbeat.", state=miner.state)
        order = MinerOrder.objects.open().filter(miner=miner, kind=kind, gpu=gpu).first()
        if order is not None:
            return Asked(order, new=False)
        order = MinerOrder(
            miner=miner, gpu=gpu, kind=kind, body=dict(body or {}), signature=dict(signature or {}), actor=actor,
            due_at=timezone.now() + timedelta(seconds=seconds),
        )  # fmt: skip
        begin(order, actor=actor, reason=f"{kind} asked for")
    return Asked(order, new=True)


def answer(*, owner_id: UUID, order_id: UUID, said: Mapping[str, Any], error: str = "") -> MinerOrder:
    """Take a miner's answer. OrderNotFound for another's order, StateConflict for one that is over."""
    order = MinerOrder.objects.select_related("miner").filter(pk=order_id, miner__owner_id=owner_id).first()
    if order is None:
        raise OrderNotFound()
    order.advance(
        OrderState.FAILED if error else OrderState.ANSWERED, actor=f"miner:{order.miner_id}", reason=error[:300],
        answer={"error": error[:1000]} if error else dict(said), ended_at=timezone.now(),
    )  # fmt: skip
    return order


def told(miner_id: UUID) -> list[dict[str, Any]]:
    """The open orders of a miner, as its heartbeat's answer names them."""
    rows = MinerOrder.objects.open().filter(miner_id=miner_id).order_by("created_at")
    return [
        {"order_id": str(row.pk), "kind": row.kind, "gpu_id": str(row.gpu_id) if row.gpu_id else None,
         "body": row.body, "signature": row.signature, "due_at": row.due_at}
        for row in rows
    ]  # fmt: skip


def expire_overdue(*, limit: int = 1000) -> int:
    """End the orders that nobody answered in time."""
    now = timezone.now()
    late = list(MinerOrder.objects.overdue(now).order_by("due_at").values_list("pk", flat=True)[:limit])
    return len(
        advance_many(MinerOrder, late, OrderState.EXPIRED, actor="sweep", reason="not answered in time", ended_at=now)
    )
