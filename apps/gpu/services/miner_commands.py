"""Commands to miners beside their jobs: sent in the answer to a heartbeat, answered by a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from aitbc.core.db import atomic, on_commit
from aitbc.core.states import advance_many, begin
from apps.gpu.errors import CommandNotFound, MinerAway
from apps.gpu.models import GPURegistry, Miner, MinerCommand
from apps.gpu.services import miners
from apps.gpu.services.gpu_allocations import lock_miners, request_heartbeat
from apps.gpu.services.queue import wake_up
from apps.gpu.states import CommandState, MinerState

SCAN_SECONDS = 120  # eight heartbeats of 15 s


@dataclass(frozen=True)
class Issued:
    """A command, and whether it was just made."""

    command: MinerCommand
    new: bool


@dataclass(frozen=True)
class Instruction:
    """What a miner is to do, and within how many seconds; `signature` is over the canonical body."""

    kind: str
    seconds: int
    body: Mapping[str, Any] = field(default_factory=dict)
    gpu: GPURegistry | None = None
    signature: Mapping[str, Any] = field(default_factory=dict)


def scan(miner: Miner, *, actor: str) -> Issued:
    """Command a miner to scan its GPUs; returns the command, an open one where there is one.

    Raises MinerAway when the miner is not there to hear it.
    """
    return issue(miner, Instruction(kind=MinerCommand.Kind.SCAN, seconds=SCAN_SECONDS), actor=actor)


def issue(miner: Miner, instruction: Instruction, *, actor: str) -> Issued:
    """Issue a command to a miner, sent with its next heartbeat; returns it, or the open one of the same kind and GPU.

    Raises MinerAway when the miner is offline or deregistered.
    """
    kind, gpu = instruction.kind, instruction.gpu
    with atomic(MinerCommand):
        (miner,) = lock_miners([miner.pk])
        if miner.state not in (MinerState.ONLINE, MinerState.SUSPECT, MinerState.DRAINING):
            raise MinerAway(
                f"The miner is {miner.state}; it receives commands with its next heartbeat.", state=miner.state
            )
        command = MinerCommand.objects.open().filter(miner=miner, kind=kind, gpu=gpu).first()
        if command is not None:
            return Issued(command, new=False)
        command = MinerCommand(
            miner=miner,
            gpu=gpu,
            kind=kind,
            body=dict(instruction.body),
            signature=dict(instruction.signature),
            actor=actor,
            due_at=timezone.now() + timedelta(seconds=instruction.seconds),
        )
        begin(command, actor=actor, reason=f"{kind} requested")
        request_heartbeat(miner.pk)
    return Issued(command, new=True)


def answer(*, owner_id: UUID, command_id: UUID, result: Mapping[str, Any], error: str = "") -> MinerCommand:
    """Take a miner's answer and return the command; the GPUs of a scan are written into the registry at once.

    Raises CommandNotFound for another owner's command, StateConflict for one that is answered or expired.
    """
    command = MinerCommand.objects.select_related("miner").filter(pk=command_id, miner__owner_id=owner_id).first()
    if command is None:
        raise CommandNotFound()
    with atomic(MinerCommand):
        lock_miners([command.miner_id])
        command.refresh_from_db()
        command.advance(
            CommandState.FAILED if error else CommandState.ANSWERED,
            actor=f"miner:{command.miner_id}",
            reason=error[:300],
            answer={"error": error[:1000]} if error else dict(result),
            ended_at=timezone.now(),
        )
        if command.kind == MinerCommand.Kind.SCAN and not error:
            _take_in(command.miner, result)
        on_commit(MinerCommand, lambda: wake_up([topic(command.pk)]))
    return command


def expire_overdue(*, limit: int = 1000) -> int:
    """Expire the commands that were not answered in time; returns how many."""
    now = timezone.now()
    late = list(MinerCommand.objects.overdue(now).order_by("due_at", "pk").values_list("pk", flat=True)[:limit])
    ended = advance_many(
        MinerCommand, late, CommandState.EXPIRED, actor="sweep", reason="not answered in time", ended_at=now
    )
    wake_up(topic(command_id) for command_id in ended)
    return len(ended)


def topic(command_id: UUID) -> str:
    """Return the pubsub topic of a command's answer."""
    return f"order:{command_id}"


def _take_in(miner: Miner, result: Mapping[str, Any]) -> None:
    """The miner's capabilities, with the cards it has found now."""
    before = miner.capabilities if isinstance(miner.capabilities, dict) else {"tasks": miner.capabilities}
    found = {name: result[name] for name in ("gpus", "cpu", "cuda") if name in result}
    miners.declare(miner, capabilities={**before, **found})
