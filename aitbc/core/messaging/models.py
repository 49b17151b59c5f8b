"""The two message tables that every domain has in its own database."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models
from django.db.models import Exists, OuterRef
from django.db.models.functions import Cast, Now

from aitbc.core.fields import JSONField

# Dead letters are due at the end of time. PostgreSQL's 'infinity' cannot be read into Python's datetime.
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
ATTEMPTS = 12


class OutboxQuerySet(models.QuerySet["AbstractOutbox"]):
    def dead(self) -> OutboxQuerySet:
        return self.filter(due_at__gte=NEVER, attempts__gte=ATTEMPTS)

    def undelivered(self, consumer: str) -> OutboxQuerySet:
        """What this consumer has not taken yet: rows that wait, are put off behind another, or are dead letters."""
        return self.filter(consumer=consumer)

    def about(self, consumer: str, key: str = "pk") -> Exists:
        """Whether a fact under this column's value is undelivered: repeating it would only lengthen the outbox.

        A dead letter counts too; it is redelivered or dropped by an operator, and what is dropped may be repeated.
        """
        return Exists(self.undelivered(consumer).filter(key=Cast(OuterRef(key), models.TextField())))


DROPPED = "!dropped"


class AbstractOutbox(models.Model):
    """A fact on its way to one consumer; the row is deleted once the consumer has committed its effect."""

    id = models.BigAutoField(primary_key=True)
    message_id = models.UUIDField()
    consumer = models.TextField()
    name = models.TextField()
    key = models.TextField()
    payload = JSONField()
    due_at = models.DateTimeField(db_default=Now())
    attempts = models.SmallIntegerField(db_default=0)
    last_error = models.TextField(db_default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = OutboxQuerySet.as_manager()

    class Meta:
        abstract = True
        verbose_name_plural = "outbox"
        indexes = [
            models.Index(name="%(app_label)s_outbox_due", fields=["consumer", "due_at", "id"]),
            models.Index(name="%(app_label)s_outbox_key", fields=["consumer", "key", "id"]),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.key} → {self.consumer}"


class AbstractInbox(models.Model):
    """A fact whose effect this domain has committed: a second delivery is recognised and does nothing."""

    message_id = models.UUIDField(primary_key=True)
    name = models.TextField()
    handled_at = models.DateTimeField(db_default=Now())

    class Meta:
        abstract = True
        verbose_name_plural = "inbox"

    def __str__(self) -> str:
        return f"{self.name} {self.message_id}"
