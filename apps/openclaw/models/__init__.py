from apps.openclaw.models.messages import Inbox, Outbox

__all__ = ["Outbox", "Inbox"]
