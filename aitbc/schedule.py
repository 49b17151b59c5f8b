"""The one beat table: what is looked after, and how often (seconds). Two beats at once do no harm."""

from __future__ import annotations

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {}


def every(seconds: float, task: str) -> None:
    SCHEDULE[task] = {"task": task, "schedule": seconds, "options": {"expires": max(10.0, seconds * 3)}}


every(2, "aitbc.core.tasks.leave_mark")
every(15, "aitbc.core.tasks.relay_last_resort")
every(86_400, "aitbc.core.tasks.prune_inboxes")
every(2, "apps.gpu.tasks.sweep_leases")
every(5, "apps.gpu.tasks.sweep_miners")
every(30, "apps.gpu.tasks.sweep_queue")
every(3, "apps.gpu.tasks.sweep_gpus")
every(10, "apps.gpu.tasks.sweep_orders")
every(300, "apps.gpu.tasks.judge_hours")
every(86_400, "apps.gpu.tasks.forget_figures")
every(15, "apps.gpu.tasks.poll_backends")
every(10, "apps.gpu.tasks.sweep_benchmarks")
every(2, "apps.ai.tasks.expire_overdue")
every(60, "apps.ai.tasks.reconcile")
every(3_600, "apps.ai.tasks.collect_artifacts")
every(3_600, "apps.ai.tasks.forget_answers")
every(1, "apps.trading.tasks.seal_log")
every(60, "apps.trading.tasks.release_overdue_holds")
every(60, "apps.trading.tasks.reconcile_escrows")
every(86_400, "apps.trading.tasks.take_snapshot")
every(3_600, "apps.trading.tasks.forget_answers")
every(2, "apps.marketplace.tasks.close_auctions")
every(300, "apps.marketplace.tasks.record_asks")
every(3_600, "apps.marketplace.tasks.weigh_reliability")
every(300, "apps.marketplace.tasks.move_prices")
every(2, "apps.marketplace.tasks.run_bookings")
every(3_600, "apps.marketplace.tasks.forget_answers")
every(5, "apps.marketplace.tasks.sweep_offers")
every(300, "apps.marketplace.tasks.refresh_offers")
