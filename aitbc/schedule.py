"""The one table of what is done regularly, and how often (seconds).

By its interval an entry runs in the relay's process (a minute or oftener: it needs neither beat nor Valkey), or is sent
by Celery beat to a worker.
"""

from __future__ import annotations

from typing import Any

from aitbc.core.check_ins import Expected
from aitbc.domains import LABELS

LONGEST_IN_RELAY = 60.0
RELAY_SECONDS = 10.0
CHECK_IN = "apps.monitoring.tasks.check_in"
QUEUES = (*LABELS, "relay")
SCHEDULE: dict[str, dict[str, Any]] = {}


def every(seconds: float, task: str, *, queue: str = "") -> None:
    """Enter a task; with a queue it is sent there, with the queue's name as its argument."""
    options: dict[str, Any] = {"expires": max(10.0, seconds * 3)}
    entry: dict[str, Any] = {"task": task, "schedule": seconds, "options": options}
    if queue:
        entry["args"], options["queue"] = [queue], queue
    SCHEDULE[f"{task}:{queue}" if queue else task] = entry


def in_relay() -> dict[str, dict[str, Any]]:
    """The entries that run in the relay's process."""
    return {name: entry for name, entry in SCHEDULE.items() if entry["schedule"] <= LONGEST_IN_RELAY}


def in_beat() -> dict[str, dict[str, Any]]:
    """The entries that Celery beat sends to workers."""
    return {name: entry for name, entry in SCHEDULE.items() if entry["schedule"] > LONGEST_IN_RELAY}


def expected() -> list[Expected]:
    """Everything that is to check in: each task, each queue by way of beat, Valkey and a worker, and the relay."""
    found = [Expected("relay", "relay", RELAY_SECONDS)]
    for entry in SCHEDULE.values():
        kind, name = ("queue", entry["args"][0]) if entry["task"] == CHECK_IN else ("task", entry["task"])
        found.append(Expected(kind, name, entry["schedule"]))
    return found


every(86_400, "aitbc.core.tasks.prune_inboxes")
every(2, "apps.gpu.tasks.sweep_leases")
every(5, "apps.gpu.tasks.sweep_miners")
every(30, "apps.gpu.tasks.sweep_queue")
every(3, "apps.gpu.tasks.sweep_gpus")
every(10, "apps.gpu.tasks.sweep_commands")
every(300, "apps.gpu.tasks.judge_hours")
every(86_400, "apps.gpu.tasks.delete_expired_metrics")
every(15, "apps.gpu.tasks.poll_backends")
every(10, "apps.gpu.tasks.sweep_benchmarks")
every(3_600, "apps.gpu.tasks.purge_idempotency_records")
every(2, "apps.ai.tasks.expire_overdue")
every(60, "apps.ai.tasks.reconcile")
every(3_600, "apps.ai.tasks.collect_artifacts")
every(3_600, "apps.ai.tasks.purge_idempotency_records")
every(1, "apps.trading.tasks.seal_log")
every(60, "apps.trading.tasks.release_overdue_holds")
every(60, "apps.trading.tasks.reconcile_escrows")
every(60, "apps.trading.tasks.expire_proposals")
every(86_400, "apps.trading.tasks.take_snapshot")
every(3_600, "apps.trading.tasks.purge_idempotency_records")
every(2, "apps.marketplace.tasks.close_auctions")
every(300, "apps.marketplace.tasks.record_asks")
every(3_600, "apps.marketplace.tasks.weigh_reliability")
every(300, "apps.marketplace.tasks.move_prices")
every(2, "apps.marketplace.tasks.run_bookings")
every(3_600, "apps.marketplace.tasks.purge_idempotency_records")
every(5, "apps.marketplace.tasks.sweep_offers")
every(300, "apps.marketplace.tasks.refresh_offers")
every(15, "apps.monitoring.tasks.sweep_heartbeats")
for _queue in QUEUES:
    every(90, CHECK_IN, queue=_queue)
