"""Models of the openclaw domain."""

from apps.openclaw.models.messages import Inbox, Outbox

__all__ = ["Inbox", "Outbox"]
