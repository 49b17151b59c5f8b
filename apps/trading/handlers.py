"""Facts of other domains that move money."""

from __future__ import annotations

from collections.abc import Sequence

from aitbc.core.messaging import subscribe
from apps.ai.events import JobCompleted, JobEnded, JobSubmitted
from apps.trading.services import payments


@subscribe(JobSubmitted, by="trading")
def on_jobs_submitted(events: Sequence[JobSubmitted]) -> None:
    payments.hold(events)


@subscribe(JobCompleted, by="trading")
def on_jobs_completed(events: Sequence[JobCompleted]) -> None:
    payments.settle(events)


@subscribe(JobEnded, by="trading")
def on_jobs_ended(events: Sequence[JobEnded]) -> None:
    payments.refund(events)
