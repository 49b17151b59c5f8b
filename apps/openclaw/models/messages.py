"""Outbox and inbox of the openclaw domain."""

from __future__ import annotations

from aitbc.core.messaging.models import AbstractInbox, AbstractOutbox


class Outbox(AbstractOutbox):
    """Facts of openclaw on their way to other domains."""


class Inbox(AbstractInbox):
    """Facts of other domains whose effect on openclaw is committed."""
