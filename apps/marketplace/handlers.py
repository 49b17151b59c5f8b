"""What the marketplace does when other domains report. Handlers take batches, at most one event per key."""

from __future__ import annotations

from collections.abc import Sequence

from aitbc.core.messaging import subscribe
from apps.gpu.events import MinerHourJudged
from apps.marketplace.services import bids, reliability
from apps.trading.events import BondHeld, BondRefused


@subscribe(MinerHourJudged, by="marketplace")
def on_hours_judged(events: Sequence[MinerHourJudged]) -> None:
    reliability.note_hours(events)


@subscribe(BondHeld, by="marketplace")
def on_bonds_held(events: Sequence[BondHeld]) -> None:
    bids.confirm(events)


@subscribe(BondRefused, by="marketplace")
def on_bonds_refused(events: Sequence[BondRefused]) -> None:
    bids.refuse(events)
