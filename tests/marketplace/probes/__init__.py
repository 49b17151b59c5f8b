"""Routes of the marketplace for the placeholder detector; each part is a module."""

from __future__ import annotations

from tests.architecture.probes import Life, Probe
from tests.marketplace.probes import analytics, auctions, bookings, legacy, offers

PARTS = (offers, analytics, bookings, auctions, legacy)
PROBES: list[Probe] = [probe for part in PARTS for probe in part.PROBES]


def live(life: Life) -> None:
    for part in PARTS:
        part.live(life)
