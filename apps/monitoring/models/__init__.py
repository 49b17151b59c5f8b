from apps.monitoring.models.heartbeats import Heartbeat, HeartbeatQuerySet
from apps.monitoring.models.messages import Inbox, Outbox

__all__ = ["Heartbeat", "HeartbeatQuerySet", "Inbox", "Outbox"]
