"""marketplace's doors for the placeholder detector; each part has its own page."""

from __future__ import annotations

from tests.architecture.probes import Life, Probe
from tests.marketplace import probes_analytics, probes_auctions, probes_bookings, probes_legacy, probes_offers

PARTS = (probes_offers, probes_analytics, probes_bookings, probes_auctions, probes_legacy)
PROBES: list[Probe] = [probe for part in PARTS for probe in part.PROBES]


def live(life: Life) -> None:
    for part in PARTS:
        part.live(life)
