"""What monitoring takes notice of: the check-ins of everything that runs regularly."""

from __future__ import annotations

from aitbc.core import check_ins, metrics
from apps.monitoring.selectors.heartbeat_metrics import HeartbeatCollector
from apps.monitoring.services import heartbeats

check_ins.register(heartbeats)
metrics.register(HeartbeatCollector())
