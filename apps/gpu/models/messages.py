"""The domain's outbox, inbox and idempotency records."""

from __future__ import annotations

from aitbc.core.idempotency import AbstractIdempotencyRecord
from aitbc.core.messaging.models import AbstractInbox, AbstractOutbox


class Outbox(AbstractOutbox):
    """Facts of gpu on their way to other domains."""


class Inbox(AbstractInbox):
    """Facts of other domains that gpu has handled."""


class IdempotencyRecord(AbstractIdempotencyRecord):
    """The answer to a request that may be sent again."""
