"""Dynamic prices: every five minutes the factor of each cell (model, region, kind) follows its utilisation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from aitbc.core import params
from aitbc.core.db import atomic, cursor
from aitbc.core.locks import advisory_lock
from apps.marketplace.logic.price_dynamics import FEWEST_PROVIDERS, moved, priced, smoothed
from apps.marketplace.models import MarketplaceOffer, OfferRevision, PriceCell
from apps.marketplace.services.offers import written

LOCK = "marketplace.dynamic"


WINDOW = timedelta(minutes=5)


ACTOR = "system:dynamic-prices"


# Busy over offered slot-seconds of the last window, per cell; only cells in which somebody chose dynamic prices.
CELLS = """
WITH cell AS (
  SELECT gpu_model, region, kind, array_agg(DISTINCT slot) AS slots, count(DISTINCT provider_id) AS providers
  FROM marketplace_marketplaceoffer CROSS JOIN unnest(slots) AS slot
  WHERE state IN ('open', 'booked_out') AND gpu_model <> ''
  GROUP BY 1, 2, 3 HAVING bool_or(pricing = 'dynamic')
)
SELECT gpu_model, region, kind, providers, coalesce((
  SELECT sum(extract(epoch FROM upper(s.period * w.span) - lower(s.period * w.span)))
  FROM marketplace_bookingslice s WHERE s.slot = ANY (cell.slots) AND s.period && w.span
    AND EXISTS (SELECT FROM marketplace_gpubooking b WHERE b.id = s.booking_id AND b.activated_at IS NOT NULL)
), 0) / (cardinality(slots) * extract(epoch FROM upper(w.span) - lower(w.span)))
FROM cell, (SELECT tstzrange(%(since)s, %(now)s) AS span) w
"""


@dataclass(frozen=True)
class Sample:
    """How busy one cell was in the last window."""

    gpu_model: str
    region: str
    kind: str
    providers: int
    utilisation: float

    @property
    def where(self) -> dict[str, str]:
        return {"gpu_model": self.gpu_model, "region": self.region, "kind": self.kind}


def move_prices(*, now: datetime | None = None) -> int:
    """Change the multiplier of each cell by one step, and the prices of its dynamic offers; return how many changed.

    A cell with fewer than three providers holds. Prices of bookings already made stay what they were.
    """
    now = now or timezone.now()
    with advisory_lock(PriceCell, LOCK) as held:
        return sum(_move(sample, now) for sample in samples(now)) if held else 0


def samples(now: datetime) -> list[Sample]:
    """Measure how busy each cell was in the window that ends now; returns one sample a cell."""
    with cursor(PriceCell) as sql:
        sql.execute(CELLS, {"since": now - WINDOW, "now": now})
        return [
            Sample(model, region, kind, providers, min(float(busy), 1.0))
            for model, region, kind, providers, busy in sql.fetchall()
        ]


def _move(sample: Sample, now: datetime) -> int:
    cell = PriceCell.objects.filter(**sample.where).first()
    if cell is None:
        cell = PriceCell(**sample.where, utilisation=sample.utilisation, moved_at=now)
    elapsed = (now - cell.moved_at).total_seconds()
    cell.utilisation = smoothed(cell.utilisation, sample.utilisation, elapsed)
    cell.providers, cell.moved_at = sample.providers, now
    cell.held = sample.providers < FEWEST_PROVIDERS
    if not cell.held:
        k, target = params.number("market.dynamic_k"), params.number("market.dynamic_target")
        cell.multiplier = moved(cell.multiplier, cell.utilisation, k=k, target=target)
    with atomic(PriceCell):
        cell.save()
        return 0 if cell.held else _reprice(cell, now)


def _reprice(cell: PriceCell, now: datetime) -> int:
    """Write the new prices of the cell's dynamic offers, each with the revision that explains it."""
    where = {"gpu_model": cell.gpu_model, "region": cell.region, "kind": cell.kind}
    dynamic = MarketplaceOffer.objects.listed().filter(**where, pricing=MarketplaceOffer.Pricing.DYNAMIC)
    revisions = []
    for offer in dynamic.locked():
        price = priced(offer.base_price, cell.multiplier, offer.floor, offer.ceiling)
        if price == offer.price_gpu_hour:
            continue
        revisions.append(_revision(offer, price, cell))
        MarketplaceOffer.objects.filter(pk=offer.pk).update(
            price_gpu_hour=price, revision=offer.revision + 1, updated_at=now
        )
    OfferRevision.objects.bulk_create(revisions)
    return len(revisions)


def _revision(offer: MarketplaceOffer, price: int, cell: PriceCell) -> OfferRevision:
    return OfferRevision(
        offer=offer,
        revision=offer.revision + 1,
        price_gpu_hour=price,
        changes={"price_gpu_hour": [written("price_gpu_hour", one) for one in (offer.price_gpu_hour, price)]},
        actor=ACTOR,
        reason=f"utilisation {cell.utilisation:.0%}, factor {cell.multiplier:.3f}",
    )
