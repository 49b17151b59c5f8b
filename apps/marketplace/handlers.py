"""What the marketplace does when other domains report. Handlers take batches, at most one event per key."""

from __future__ import annotations

from collections.abc import Sequence

from aitbc.core.messaging import subscribe
from apps.gpu.events import GpuChanged, MinerHourJudged
from apps.marketplace.services import devices, reliability


@subscribe(MinerHourJudged, by="marketplace")
def on_hours_judged(events: Sequence[MinerHourJudged]) -> None:
    reliability.note_hours(events)


@subscribe(GpuChanged, by="marketplace")
def on_gpus_changed(events: Sequence[GpuChanged]) -> None:
    devices.take(events)
