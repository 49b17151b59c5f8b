"""Facts on their way out and taken in, and the stored answers of repeatable requests, as rows."""

from __future__ import annotations

from aitbc.core.idempotency import AbstractIdempotencyRecord
from aitbc.core.messaging.models import AbstractInbox, AbstractOutbox


class IdempotencyRecord(AbstractIdempotencyRecord):
    """The stored answer to a POST that carried an Idempotency-Key."""


class Outbox(AbstractOutbox):
    """Facts of this domain on their way."""

    class Meta(AbstractOutbox.Meta):
        abstract = False


class Inbox(AbstractInbox):
    """Facts of other domains already taken in."""

    class Meta(AbstractInbox.Meta):
        abstract = False
