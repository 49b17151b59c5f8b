"""Models of the plugins domain."""

from apps.plugins.models.messages import Inbox, Outbox

__all__ = ["Inbox", "Outbox"]
