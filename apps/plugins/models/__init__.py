from apps.plugins.models.messages import Inbox, Outbox

__all__ = ["Outbox", "Inbox"]
