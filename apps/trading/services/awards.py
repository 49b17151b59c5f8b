"""Proofs of auction awards in the transparency log, where nobody can change them afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from apps.trading.services import log

if TYPE_CHECKING:
    from apps.marketplace.events import DemandAwarded

KIND = "market.award"


def note(events: Sequence[DemandAwarded]) -> list[str]:
    """Append the proofs as `market.award` entries; returns their leaf hashes. A demand is awarded once: each is new."""
    return log.append(
        KIND,
        [
            {"award": event.award_id, "demand": event.demand_id, "digest": event.digest, "proof": event.proof}
            for event in events
        ],
    )
