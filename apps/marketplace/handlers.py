"""What the marketplace does when other domains report. Handlers take batches, at most one event per key."""

from __future__ import annotations

from collections.abc import Sequence

from aitbc.core.messaging import subscribe
from apps.gpu.events import BookingBroken, BookingProvisioned, GpuChanged, MinerHourJudged
from apps.marketplace.services import bids, escrow_replies, extensions, gpus, provisioning, reliability
from apps.trading.events import (
    BondHeld,
    BondRefused,
    EscrowClosed,
    EscrowExtended,
    EscrowExtensionRefused,
    EscrowHeld,
    EscrowRefused,
)


@subscribe(MinerHourJudged, by="marketplace")
def on_hours_judged(events: Sequence[MinerHourJudged]) -> None:
    reliability.note_hours(events)


@subscribe(EscrowHeld, by="marketplace")
def on_escrows_held(events: Sequence[EscrowHeld]) -> None:
    escrow_replies.reserve(events)


@subscribe(EscrowRefused, by="marketplace")
def on_escrows_refused(events: Sequence[EscrowRefused]) -> None:
    escrow_replies.refuse(events)


@subscribe(EscrowClosed, by="marketplace")
def on_escrows_closed(events: Sequence[EscrowClosed]) -> None:
    escrow_replies.settle(events)


@subscribe(EscrowExtended, by="marketplace")
def on_escrows_extended(events: Sequence[EscrowExtended]) -> None:
    extensions.grant(events)


@subscribe(EscrowExtensionRefused, by="marketplace")
def on_extensions_refused(events: Sequence[EscrowExtensionRefused]) -> None:
    extensions.refuse(events)


@subscribe(BookingProvisioned, by="marketplace")
def on_bookings_provisioned(events: Sequence[BookingProvisioned]) -> None:
    provisioning.note_provisioned(events)


@subscribe(BookingBroken, by="marketplace")
def on_bookings_broken(events: Sequence[BookingBroken]) -> None:
    provisioning.note_broken(events)


@subscribe(BondHeld, by="marketplace")
def on_bonds_held(events: Sequence[BondHeld]) -> None:
    bids.confirm(events)


@subscribe(BondRefused, by="marketplace")
def on_bonds_refused(events: Sequence[BondRefused]) -> None:
    bids.refuse(events)


@subscribe(GpuChanged, by="marketplace")
def on_gpus_changed(events: Sequence[GpuChanged]) -> None:
    gpus.take(events)
