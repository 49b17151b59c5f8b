"""Models of the governance domain."""

from apps.governance.models.messages import Inbox, Outbox

__all__ = ["Inbox", "Outbox"]
