from apps.monitoring.models.messages import Inbox, Outbox

__all__ = ["Outbox", "Inbox"]
