"""Copying facts of GPUs, reliability and score into the columns of offers that searches read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connections
from django.utils import timezone

from aitbc.core import jsonb
from aitbc.core.db import alias_of, atomic, cursor
from apps.marketplace.logic import offer_scoring
from apps.marketplace.models import MarketplaceOffer, RegisteredGPU, Reliability
from apps.marketplace.models.offers import LIVE

COPIED = (
    "gpu_name", "gpu_model", "vendor", "architecture", "driver", "region", "device", "memory_mb", "bandwidth_gbps",
    "fp32_tflops", "fp16_tflops", "up_mbps", "down_mbps", "tdp_w", "compute_capability", "cuda", "verified",
    "verified_at", "benchmark", "miner_id", "rentable", "reliability", "score",
)  # fmt: skip
TABLE = MarketplaceOffer._meta.db_table
BATCH = 1000


def apply(
    offer: MarketplaceOffer, gpus: Collection[RegisteredGPU], reliability: Mapping[UUID, float], now: datetime
) -> None:
    """Set an offer's columns from its GPUs as they are known; nothing is saved. `reliability` is R by miner."""
    if offer.backed and len(gpus) == offer.gpu_count:
        for name, value in offer_scoring.of_gpus([gpu.facts for gpu in gpus], offer.provider_id).items():
            setattr(offer, name, value)
    elif offer.backed:
        offer.rentable = False  # a GPU that was never reported
    miner = offer.miner_id
    offer.reliability = (
        reliability.get(miner, offer_scoring.PRIOR_RELIABILITY) if miner else offer_scoring.PRIOR_RELIABILITY
    )
    offer.score = offer_scoring.score(offer, now)


def refresh(offer_ids: Iterable[UUID]) -> int:
    """Copy the facts anew into these offers; return how many changed. Four statements whatever their number.

    Rows are locked in order of their ids, so that two refreshes cannot deadlock and none writes stale facts.
    """
    with atomic(MarketplaceOffer):
        offers = list(MarketplaceOffer.objects.filter(pk__in=list(offer_ids)).defer("words", "model_key").locked())
        before = [_copied(offer) for offer in offers]
        gpus = RegisteredGPU.objects.in_bulk({slot for offer in offers if offer.backed for slot in offer.slots})
        reliability = reliability_of(offer.miner_id for offer in offers)
        reliability |= reliability_of({gpu.miner_id for gpu in gpus.values()} - set(reliability))
        now = timezone.now()
        for offer in offers:
            apply(offer, [gpus[slot] for slot in offer.slots if slot in gpus], reliability, now)
        changed = [offer for offer, previous in zip(offers, before, strict=True) if _copied(offer) != previous]
        _write(changed, now)
    return len(changed)


def refresh_over(slots: Collection[UUID]) -> int:
    """Refresh every offer that may still be booked and has one of these slots; return how many changed."""
    touched = MarketplaceOffer.objects.filter(state__in=LIVE).over_any(slots)
    return refresh(touched.values_list("pk", flat=True))


def refresh_all() -> int:
    """Refresh every offer that may still be booked; return how many changed. Scores age, and an event may have been
    lost."""
    ids = list(MarketplaceOffer.objects.filter(state__in=LIVE).order_by("pk").values_list("pk", flat=True))
    return sum(refresh(ids[at : at + BATCH]) for at in range(0, len(ids), BATCH))


def reliability_of(miners: Iterable[UUID | None]) -> dict[UUID, float]:
    """Return R of these miners, as far as it is known."""
    known = Reliability.objects.filter(miner_id__in={miner for miner in miners if miner})
    return dict(known.values_list("miner_id", "r"))


def _copied(offer: MarketplaceOffer) -> list[Any]:
    return [getattr(offer, name) for name in COPIED]


def _write(offers: Collection[MarketplaceOffer], now: datetime) -> None:
    if not offers:
        return
    rows = [{"id": offer.pk, **dict(zip(COPIED, _copied(offer), strict=True))} for offer in offers]
    with cursor(MarketplaceOffer) as sql:
        sql.execute(_update(), {"rows": jsonb.dumps(rows), "now": now})


@cache
def _update() -> str:
    """One UPDATE for any number of offers; the columns' types are the model's."""
    connection = connections[alias_of(MarketplaceOffer)]
    types = {name: MarketplaceOffer._meta.get_field(name).db_type(connection) for name in ("id", *COPIED)}
    columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
    sets = ", ".join(f"{name} = new.{name}" for name in COPIED)
    return (
        f"UPDATE {TABLE} offer SET {sets}, updated_at = %(now)s::timestamptz"
        f" FROM jsonb_to_recordset(%(rows)s::jsonb) AS new({columns}) WHERE offer.id = new.id"
    )
