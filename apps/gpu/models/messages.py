"""The domain's outbox, inbox, kept answers, and the clock that shows how long nobody was watching."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from aitbc.core.idempotency import AbstractIdempotencyRecord
from aitbc.core.messaging.models import AbstractInbox, AbstractOutbox


class Outbox(AbstractOutbox):
    """Facts of gpu on their way to other domains."""


class Inbox(AbstractInbox):
    """Facts of other domains that gpu has handled."""


class IdempotencyRecord(AbstractIdempotencyRecord):
    """The answer to a request that may be sent again."""


class Clock(models.Model):
    """When a web process last said that miners can be heard. A gap means the exchange was away: no miner is blamed."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "clock"
        constraints = [models.CheckConstraint(name="gpu_clock_one", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return f"seen {self.seen_at:%H:%M:%S}"
