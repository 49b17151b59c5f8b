"""Outbox, inbox and idempotency records, as rows."""

from __future__ import annotations

from aitbc.core.idempotency import AbstractIdempotencyRecord
from aitbc.core.messaging.models import AbstractInbox, AbstractOutbox


class IdempotencyRecord(AbstractIdempotencyRecord):
    """The stored response to a POST that carried an Idempotency-Key."""


class Outbox(AbstractOutbox):
    """Facts of this domain that are not delivered yet."""

    class Meta(AbstractOutbox.Meta):
        abstract = False


class Inbox(AbstractInbox):
    """Facts of other domains that were handled."""

    class Meta(AbstractInbox.Meta):
        abstract = False
