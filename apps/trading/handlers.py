"""Facts of other domains that move money."""

from __future__ import annotations

from collections.abc import Sequence

from aitbc.core.messaging import subscribe
from apps.ai.events import JobCompleted, JobEnded, JobSubmitted
from apps.marketplace.events import DemandAwarded
from apps.trading.services import awards, payments


@subscribe(JobSubmitted, by="trading")
def on_jobs_submitted(events: Sequence[JobSubmitted]) -> None:
    payments.hold(events)


@subscribe(JobCompleted, by="trading")
def on_jobs_completed(events: Sequence[JobCompleted]) -> None:
    payments.settle(events)


@subscribe(JobEnded, by="trading")
def on_jobs_ended(events: Sequence[JobEnded]) -> None:
    payments.refund(events)


@subscribe(DemandAwarded, by="trading")
def on_demands_awarded(events: Sequence[DemandAwarded]) -> None:
    awards.note(events)
