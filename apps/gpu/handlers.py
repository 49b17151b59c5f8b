"""Facts of other domains: jobs queued, withdrawn or reprioritised, and bookings of GPUs.

Handlers take batches, at most one event per key.
"""

from __future__ import annotations

from collections.abc import Sequence

from aitbc.core.messaging import subscribe
from apps.ai.events import InputJudged, JobPrioritized, JobQueued, JobWithdrawn
from apps.gpu.services import blob_retention, queue, reputation, reservations
from apps.marketplace.events import BookingClosed, BookingReserved, BookingStarted

blob_retention.register()


@subscribe(JobQueued, by="gpu")
def on_jobs_queued(events: Sequence[JobQueued]) -> None:
    queue.enqueue(events)


@subscribe(JobWithdrawn, by="gpu")
def on_jobs_withdrawn(events: Sequence[JobWithdrawn]) -> None:
    queue.withdraw(events)


@subscribe(JobPrioritized, by="gpu")
def on_jobs_prioritized(events: Sequence[JobPrioritized]) -> None:
    queue.prioritize(events)


@subscribe(InputJudged, by="gpu")
def on_inputs_judged(events: Sequence[InputJudged]) -> None:
    reputation.record_verdicts(events)


@subscribe(BookingReserved, by="gpu")
def on_bookings_reserved(events: Sequence[BookingReserved]) -> None:
    reservations.reserve(events)


@subscribe(BookingStarted, by="gpu")
def on_bookings_started(events: Sequence[BookingStarted]) -> None:
    reservations.start(events)


@subscribe(BookingClosed, by="gpu")
def on_bookings_closed(events: Sequence[BookingClosed]) -> None:
    reservations.close(events)
