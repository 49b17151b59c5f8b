"""Copies operators' decisions about money into accounts' log of privileged acts, which is in another database.

The histories here are the record; a decision commits with its history, and this sweep carries it over afterwards. An
entry's id is made from the step it tells of, so a sweep that ends half-way repeats itself without harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from aitbc.accounts.models import AuditEntry
from aitbc.accounts.services import audit
from aitbc.core.states import AbstractTransition
from apps.trading.models import Reversal, Withdrawal
from apps.trading.services import ledger

BATCH = 200


def copy(*, limit: int = BATCH) -> int:
    """Copy the steps of at most `limit` withdrawals and as many reversals; returns how many rows were brought up."""
    return sum(copy_of(model, limit) for model in (Withdrawal, Reversal))


def copy_of(model: type[Withdrawal] | type[Reversal], limit: int) -> int:
    """Copy the new steps of rows of this model; returns how many rows were brought up."""
    rows = list(model.objects.not_copied().order_by("pk")[:limit])
    copied: dict[UUID, int] = {row.pk: row.copied for row in rows}
    history = model.history_model()._base_manager.filter(subject_id__in=copied).order_by("subject_id", "seq")
    steps = [step for step in history if step.seq > copied[step.subject_id]]
    noun = str(model._meta.model_name)
    audit.copy([entry_of(noun, step) for step in steps])
    for row in rows:
        model.objects.filter(pk=row.pk).update(copied=latest(steps, row.pk, row.copied))
    return len(rows)


def latest(steps: Iterable[AbstractTransition], pk: UUID, before: int) -> int:
    """Return the number of the last of these steps that is of this row."""
    return max((step.seq for step in steps if step.subject_id == pk), default=before)


def entry_of(noun: str, step: AbstractTransition) -> AuditEntry:
    """Return the entry for one step, e.g. `withdrawal.approved`."""
    return AuditEntry(
        id=ledger.name(f"audit:{noun}:{step.subject_id}:{step.seq}"), at=step.at, actor=step.actor,
        action=f"{noun}.{step.to_state}", subject=str(step.subject_id), reason=step.reason, detail=step.detail,
    )  # fmt: skip
