from apps.governance.models.messages import Inbox, Outbox

__all__ = ["Outbox", "Inbox"]
