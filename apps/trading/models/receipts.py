"""Receipts: what the exchange signed about jobs that are done and paid."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models

from aitbc.core.fields import JSONField
from aitbc.core.ids import uuid7


class ReceiptQuerySet(models.QuerySet["Receipt"]):
    def owned_by(self, owner_id: UUID) -> Self:
        return self.filter(owner_id=owner_id)

    def for_job(self, job_id: UUID) -> Self:
        return self.filter(job_id=job_id)

    def since(self, moment: datetime) -> Self:
        return self.filter(issued_at__gte=moment)


class Receipt(models.Model):
    """A signed receipt; exactly one per job, never changed. `body` is what is signed and names owners by alias only."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job_id = models.UUIDField(unique=True)
    owner_id = models.UUIDField(db_index=True, help_text="The client; not in the body.")
    provider_id = models.UUIDField(help_text="Who was paid; not in the body.")
    miner_id = models.UUIDField(db_index=True)
    client_alias = models.CharField(max_length=40, db_index=True)
    body = JSONField()
    signature = JSONField()
    leaf = models.CharField(max_length=64, help_text="Its leaf in the transparency log.")
    issued_at = models.DateTimeField(db_index=True)

    objects = ReceiptQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"receipt {self.pk} of job {self.job_id}"
