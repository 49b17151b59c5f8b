"""The domain's own outbox, inbox and answers to keep."""

from __future__ import annotations

from aitbc.core.idempotency import AbstractIdempotencyRecord
from aitbc.core.messaging.models import AbstractInbox, AbstractOutbox


class Outbox(AbstractOutbox):
    """Facts of trading on their way to other domains."""


class Inbox(AbstractInbox):
    """Facts of other domains that trading has handled."""


class IdempotencyRecord(AbstractIdempotencyRecord):
    """The answer given to a request that moved money, kept for its repetition."""
