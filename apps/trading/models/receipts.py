"""Receipts: what the exchange signed about work that is paid: jobs, and slices of bookings."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from aitbc.core.fields import JSONField
from aitbc.core.ids import uuid7


class ReceiptQuerySet(models.QuerySet["Receipt"]):
    def owned_by(self, owner_id: UUID) -> Self:
        return self.filter(owner_id=owner_id)

    def for_job(self, job_id: UUID) -> Self:
        return self.filter(job_id=job_id)

    def of_jobs(self) -> Self:
        return self.exclude(job_id=None)

    def of_bookings(self) -> Self:
        return self.exclude(booking_id=None)

    def since(self, moment: datetime) -> Self:
        return self.filter(issued_at__gte=moment)


class Receipt(models.Model):
    """A signed receipt of a job, one per job, or of a booking's slice; never changed.

    `body` is what is signed and public; it names owners and miners by alias only.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    job_id = models.UUIDField(unique=True, null=True)
    booking_id = models.UUIDField(null=True)
    slice = models.PositiveIntegerField(null=True)
    owner_id = models.UUIDField(db_index=True, help_text="The client or renter; not in the body.")
    provider_id = models.UUIDField(help_text="Who was paid; not in the body.")
    miner_id = models.UUIDField(db_index=True, null=True, help_text="Not in the body.")
    client_alias = models.CharField(max_length=40, db_index=True)
    miner_alias = models.CharField(max_length=40, db_index=True, blank=True)
    body = JSONField()
    opening = JSONField(null=True, help_text="Opens the hashes in the body; shown to the owner only.")
    signature = JSONField()
    leaf = models.CharField(max_length=64, help_text="Its leaf in the transparency log.")
    issued_at = models.DateTimeField(db_index=True)

    objects = ReceiptQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(name="trading_receipt_once_a_slice", fields=["booking_id", "slice"]),
            models.CheckConstraint(
                name="trading_receipt_of_job_or_slice",
                condition=Q(job_id__isnull=False, booking_id=None, slice=None)
                | Q(job_id=None, booking_id__isnull=False, slice__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        subject = f"job {self.job_id}" if self.job_id else f"slice {self.slice} of booking {self.booking_id}"
        return f"receipt {self.pk} of {subject}"

    @property
    def subject_id(self) -> UUID:
        """The job or booking that it is about."""
        subject = self.job_id or self.booking_id
        assert subject, "a CHECK constraint"
        return subject
