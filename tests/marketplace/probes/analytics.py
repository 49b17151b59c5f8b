"""Routes of analytics, prices and providers, for the placeholder detector."""

from __future__ import annotations

from django.utils import timezone

from apps.marketplace.models import PriceCell
from apps.marketplace.services import prices, reliability
from tests.architecture.probes import Life, Probe
from tests.marketplace.factories import AIT, a_booking, an_offer, hours

MARKET = "/marketplace/v1/marketplace"
ANALYTICS = f"{MARKET}/analytics"


def live(life: Life) -> None:
    """A market of its own: a card model that three providers traded, prices that moved, and a provider with a past."""
    n, things = life.number, life.things
    things["traded_model"] = f"Traded {n}"
    for _ in range(3):
        traded(life)
    PriceCell.objects.create(gpu_model=f"Traded {n}", region="de", kind="on_demand", utilisation=n / 4, multiplier=n)
    now, provider = timezone.now(), life.operator.owner_id
    offer = an_offer(provider_id=provider, gpu_model=f"Traded {n}", price=n * AIT)
    things |= {"provider": str(provider), "priced": str(offer.pk)}
    for hour in range(n):
        a_booking(offer, since=now - hours(2 * hour + 2), until=now - hours(2 * hour + 1))
        kept = {"miner_id": offer.miner_id, "provider_id": offer.provider_id, "ref": f"{n} {hour}"}
        reliability.note(kind="provider_cancel", ok=False, **kept)


def traded(life: Life) -> None:
    """One more booking that was used and paid, by a provider of its own."""
    now, n = timezone.now(), life.number
    offer = an_offer(price=n * AIT, gpu_model=f"Traded {n}", gpus=n, since=now - hours(10))
    prices.record_trades([a_booking(offer, since=now - hours(2), until=now - hours(2 - 0.5 * n))])


CELL = "gpu_model={traded_model}"
PROBES = [
    *(Probe("anonymous", "GET", path, before=traded) for path in (
        ANALYTICS, f"{ANALYTICS}/summary", f"{MARKET}/performance",
    )),
    *(Probe("anonymous", "GET", f"{ANALYTICS}/{what}?{CELL}") for what in (
        "prices", "utilisation", "liquidity", "cells",
    )),
    Probe("anonymous", "POST", f"{MARKET}/dynamic-pricing?offer_id={{priced}}"),
    Probe("anonymous", "GET", f"{MARKET}/providers/{{provider}}/profile"),
    Probe("anonymous", "GET", f"{MARKET}/providers/{{provider}}/reputation"),
]  # fmt: skip
