"""Outbox and inbox of the plugins domain."""

from __future__ import annotations

from aitbc.core.messaging.models import AbstractInbox, AbstractOutbox


class Outbox(AbstractOutbox):
    """Facts of plugins on their way to other domains."""


class Inbox(AbstractInbox):
    """Facts of other domains whose effect on plugins is committed."""
