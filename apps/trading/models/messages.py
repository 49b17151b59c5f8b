"""Outbox, inbox and idempotency records of trading."""

from __future__ import annotations

from aitbc.core.idempotency import AbstractIdempotencyRecord
from aitbc.core.messaging.models import AbstractInbox, AbstractOutbox


class Outbox(AbstractOutbox):
    """Facts of trading on their way to other domains."""


class Inbox(AbstractInbox):
    """Facts of other domains that trading has handled."""


class IdempotencyRecord(AbstractIdempotencyRecord):
    """The response to a request that moved money, stored for its repetition."""
