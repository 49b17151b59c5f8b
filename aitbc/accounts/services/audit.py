"""The log of privileged acts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aitbc.accounts.models import AuditEntry
from aitbc.core.db import atomic


def record(
    *, actor: object, action: str, subject: object, reason: str = "", detail: dict[str, Any] | None = None
) -> AuditEntry:
    """Write down who did what; call it inside the transaction of the act where both live on the same database."""
    with atomic(AuditEntry):
        return AuditEntry.objects.create(
            actor=str(actor)[:200], action=action, subject=str(subject)[:200], reason=reason, detail=detail or {}
        )


def copy(entries: Sequence[AuditEntry]) -> None:
    """Add the acts that a domain recorded in its own database; one whose id is here already is not added again."""
    with atomic(AuditEntry):
        AuditEntry.objects.bulk_create(entries, ignore_conflicts=True)
